"""The page of the experiment: the same bytes from the same results, and nothing unmeasured."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import bambino
from boards.experiment import figures, page, tables
from boards.experiment.machines import machines, multipliers
from golden import netfile
from golden.clip import SHIPPED
from golden.experiment.reading import load
from hw.estimate import estimate
from hw.presets import PRESETS
from tests.golden import made_up_results as made_up

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
RUNS = ("float-1", "float-2", "bam-1", "bam-w8-1", "bam-w8-2", "bam-w8-3", "codes-4-1", "beta-5-1")
ALWAYS = {"surrogate", "memory"}
TRAINED = {"metrics", "scatter", "history"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of results and, beside it in ``out``, the page of it."""
    folder = tmp_path_factory.mktemp("made")
    results = made_up.write(folder / "results", RUNS, teacher=True)
    (results / "notes.md").write_text("- A warm start helped.\n")
    page.make(results, folder / "out")
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return made_up.write(tmp_path / "results", RUNS, teacher=True)


def files(folder: Path) -> dict[str, bytes]:
    """All files below `folder` with what they hold."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next of its rank or higher."""
    found = re.search(rf"^(#+) {re.escape(title)}.*?\n(.*?)(?=^#{{1,3}} |\Z)", text, re.M | re.S)
    assert found is not None, title
    return found[2]


def test_the_same_results_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    page.make(made / "results", tmp_path)
    first = files(made / "out")
    assert first == files(tmp_path)
    pictures = {f"experiment/{s}.{e}" for s in ALWAYS | TRAINED for e in ("svg", "png")}
    assert set(first) == {"experiment.md", "experiment/figures.json"} | pictures
    assert "- A warm start helped." in section(first["experiment.md"].decode(), "What helped")


def test_the_committed_page_is_that_of_the_committed_results(tmp_path: Path) -> None:
    page.make(DOCS / "experiment" / "results", tmp_path)
    for name in ("experiment.md", "experiment/figures.json"):
        committed = (DOCS / name).read_text(encoding="utf-8")
        assert (tmp_path / name).read_text(encoding="utf-8") == committed, (
            f"{name} must be made anew: bambino experiment-page"
        )
    for target in re.findall(r"\]\(([^)#:]+)\)", (DOCS / "experiment.md").read_text("utf-8")):
        assert (DOCS / target).exists(), target
    made = {path.name for path in (tmp_path / "experiment").iterdir()}
    assert made == {path.name for path in (DOCS / "experiment").iterdir() if path.is_file()}


def test_n_is_printed_whatever_was_reached(made: Path) -> None:
    text = (made / "out" / "experiment.md").read_text(encoding="utf-8")
    head = text.partition("## What is asked")[0]
    assert "**Runs that are missing: 16**, 2 of `float`, 3 of `bam`, 1 of `bam-w8`" in head
    known = section(text, "Known kinds of distortion")
    rows = dict(re.findall(r"^\| (.*?) \| (.*) \|$", known, re.M))
    assert re.fullmatch(r"2 \|( 0\.\d{4} ± 0\.\d{4} ?\|?){3}", rows["float ReLU baseline"])
    assert re.fullmatch(r"1 \|( 0\.\d{4} ?\|?){3}", rows["BAM"])
    assert re.fullmatch(r"3 \|( 0\.\d{4} ± 0\.\d{4} ?\|?){3}", rows["BAM + 8-bit weights"])
    assert rows["8-bit activations and weights"] == "0 | - | - | -"
    float_runs = load(made / "results").of("float")
    mean = sum(run.metrics["known"].pcc for run in float_runs) / 2
    assert f"{mean:.4f} ±" in rows["float ReLU baseline"]
    absent = "`codes-8`, `codes-3`, `dense-binary`, `maxima-codes`, `maxima-2bit`, `pow2-scales`"
    assert f"Not measured yet: {absent}." in text
    assert "| known kinds of distortion, the teacher's MOS | 3 |" in text
    assert "Stored without predictions, so not computed anew: `bam-w8-1`" in text
    data = json.loads((made / "out" / "experiment" / "figures.json").read_text())["variants"]
    assert data["float"]["sets"]["known"]["PCC"]["mean"] == pytest.approx(mean, abs=1e-6)
    assert data["bam"]["sets"]["known"]["PCC"]["deviation"] is None
    assert data["a8w8"]["sets"] == {}
    assert data["bam-w8"]["integer_mismatches"] == 9
    assert data["float"]["integer_mismatches"] is None


def test_without_results_the_page_says_what_is_missing(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "out", tmp_path / "out")  # pictures of former results must go
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    page.make(nothing, tmp_path / "out")
    text = (tmp_path / "out" / "experiment.md").read_text(encoding="utf-8")
    assert "**No training is in the results yet**" in text
    asked = section(text, "What is asked")
    assert asked.count("| not measured | open |") == 4
    assert section(text, "Prediction of PESQ").strip() == "Not measured yet."
    assert "±" not in text.partition("## What is asked")[2]
    stems = {path.stem for path in (tmp_path / "out" / "experiment").iterdir()}
    assert stems == ALWAYS | {"figures"}
    linked = set(re.findall(r"\(experiment/(\w+)\.svg\)", text))
    assert linked == ALWAYS


def test_a_test_list_alone_is_no_result(tmp_path: Path) -> None:
    material = figures.gather(load(made_up.write(tmp_path / "results", ())))
    assert "**No training is in the results yet**" in page.text(material, set())


def test_memory_of_the_machines() -> None:
    network = netfile.load(SHIPPED)
    found = machines(network, PRESETS)
    assert [each.name for each in found] == ["small", "medium", "large"]  # tiny does not hold it
    for each in found:
        config = PRESETS[each.name]
        assert each.taken == estimate(network, config).memory_bits
        assert each.there == config.memory_bits
    text = "\n".join(tables.machine_memory(network, found))
    taken = sum(found[0].taken.values())
    assert f"| all | {taken:,} of {sum(found[0].there.values()):,} |" in text
    assert tables.machine_memory(network, [])


def test_multipliers_are_counted_where_there_are_any() -> None:
    tiny = PRESETS["tiny"]
    assert multipliers(tiny) == 0
    assert multipliers(replace(tiny, cell="mac", groups=1, acc_bits=24)) == tiny.lanes


def test_a_bar_in_a_cell_makes_no_column() -> None:
    assert tables.table(("a|b", "c"), [("d", "e")])[0] == "| a\\|b | c |"


def test_as_data(made: Path) -> None:
    data = json.loads((made / "out" / "experiment" / "figures.json").read_text())
    assert data == figures.as_dict(figures.gather(load(made / "results")))


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = made_up.write(tmp_path / "results", ())
    argv = ["experiment-page", "--results", str(results), "--out", str(tmp_path), "--json"]
    assert bambino.main(argv) == 0
    said = capsys.readouterr()
    written = json.loads((tmp_path / "experiment" / "figures.json").read_text())
    assert json.loads(said.out) == written
    assert said.err == f"written: {tmp_path / 'experiment.md'}, runs: 0\n"


def no_folder(results: Path) -> None:
    results.rename(results.with_name("elsewhere"))


def no_test_list(results: Path) -> None:
    (results / "test.json").unlink()


def no_json(results: Path) -> None:
    (results / "runs" / "bam-1.json").write_text("{")


def foreign(results: Path) -> None:
    made_up.change(results / "runs" / "bam-1.json", "data", to="f00d")


def notes_of_bytes(results: Path) -> None:
    (results / "notes.md").write_bytes(b"\xff")


def other_figure(results: Path) -> None:
    made_up.change(results / "runs" / "bam-1.json", "sets", "known", "pcc", to=0.5)


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (no_folder, 2, "the results must be an existing folder"),
        (no_test_list, 2, "test.json must be there, not missing"),
        (no_json, 2, "runs/bam-1.json must be JSON: "),
        (foreign, 2, 'runs/bam-1.json data must be 0123abcd as in test.json, not "f00d"'),
        (notes_of_bytes, 2, "notes.md must be UTF-8 text"),
        (other_figure, 1, "runs/bam-1.json sets known pcc must be "),
    ],
)
def test_bad_results_write_nothing(
    spoil, code, message, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(results)
    out = tmp_path / "out"
    argv = ["experiment-page", "--results", str(results), "--out", str(out)]
    assert bambino.main(argv) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("bambino experiment-page: ")
    assert message in said.err
    assert said.err.count("\n") == 1
    assert not out.exists()
