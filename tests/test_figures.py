"""The measuring itself: what a run is, and what becomes of one that fails."""

import pytest

from boards import figures


def test_a_run_is_measured() -> None:
    done = figures.run("presets", "--json", one_core=True)
    assert "medium" in done.json()
    assert 0 < done.seconds < 60
    assert 2**20 < done.peak_bytes < 2**30


def test_the_memory_of_who_measures_does_not_count() -> None:
    ballast = b"x" * 2**28
    done = figures.run("--help")
    assert done.peak_bytes < len(ballast)


def test_a_run_that_fails_is_named() -> None:
    with pytest.raises(figures.BenchError, match="bambino estimate --preset huge must succeed"):
        figures.run("estimate", "--preset", "huge")


def test_a_part_that_fails_loses_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> figures.Figures:
        raise figures.BenchError("no such luck")

    monkeypatch.setattr(figures, "PARTS", {"first": broken, "second": lambda: {"seconds": 1}})
    said: list[str] = []
    assert figures.measure(said.append) == {"first": None, "second": {"seconds": 1}}
    assert said == ["measuring first", "no such luck", "measuring second"]


def test_utilisation_of_the_middle_layers() -> None:
    found = figures.utilisation()
    assert found["conv2_to_conv4"] >= 0.85
    assert found["cycles"] <= 380_000
    assert set(figures.CONVOLUTIONS) < set(found["layers"])
