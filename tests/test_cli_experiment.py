"""`bambino experiment` as a command: bad input ends in one line, names pick variants."""

from pathlib import Path
from typing import Any

import pytest

import bambino
from golden.experiment import experiment
from golden.experiment.experiment import Options


def refused(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """Run the command line, which must refuse; return its one line."""
    code = bambino.main(["experiment", *map(str, argv)])
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.startswith("bambino experiment: ")
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize(
    ("argv", "rule"),
    [
        (["--data", "DIR/none"], "the data folder must exist"),
        (["--data", "DIR"], "must hold a manifest.csv, or audio in speech, noise, rir"),
        (["--variants", "float,bam9"], "variant must be one of float, bam"),
        (["--variants", ""], "variant must be one of float, bam"),
        (["--seeds", "0"], "seeds must be at least 1, not 0"),
        (["--first-seed", "0"], "first_seed must be at least 1, not 0"),
        (["--rate", "0"], "rate must be positive, not 0.0"),
        (["--clips", "3"], "clips must be an integer of at least 64, not 3"),
        (["--outputs", "mos"], "outputs must be some of pesq, dnsmos, each once, not 'mos'"),
        (["--device", "abacus"], "device must be cpu or cuda, not 'abacus'"),
    ],
)
def test_bad_input_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], rule: str,
) -> None:
    given = [part.replace("DIR", str(tmp_path)) for part in argv]
    assert rule in refused(capsys, "--out", tmp_path / "out", *given)
    assert not (tmp_path / "out").exists()


def test_what_is_given_reaches_the_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[Options] = []

    def run(options: Options, report: Any) -> list[Path]:
        seen.append(options)
        return [Path("results.json")]

    monkeypatch.setattr(experiment, "run", run)
    code = bambino.main([
        "experiment", "--data", str(tmp_path), "--variants", "float,beta-3", "--seeds", "2",
        "--first-seed", "3", "--unseen-kinds", "7", "--warm-up", "0.1",
        "--no-warm", "--no-groups", "--no-norm", "--no-half", "--labels-only",
        "--test-list", "list.jsonl", "--outputs", "pesq,dnsmos",
    ])
    assert code == 0
    assert capsys.readouterr().out == "results.json\n"
    (options,) = seen
    assert options.variants == ("float", "beta-3")
    assert (options.seeds, options.unseen_kinds, options.labels_only) == (2, 7, True)
    assert options.first_seed == 3
    assert options.test_list == Path("list.jsonl")
    recipe = options.recipe
    assert (recipe.groups, recipe.norm) == (False, False)
    assert (recipe.warm_up, recipe.warm, recipe.half, recipe.rotate) == (0.1, False, False, True)
    assert recipe.outputs == ("pesq", "dnsmos")
