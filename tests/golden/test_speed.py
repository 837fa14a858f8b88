"""The benchmark of the engines has the shape that README and `bambino bench` rely on."""

import pytest

from golden import speed


def test_ratios_are_of_the_same_run() -> None:
    found = speed._ratios({"adds": 0.5, "other": 2.0})
    assert found["ms_per_window"] == {"adds": 0.5, "other": 2.0}
    assert found["windows_per_second"] == {"adds": 2000, "other": 500}
    assert found["times_slower_than_adds"] == {"adds": 1.0, "other": 4.0}


def test_the_best_turn_counts_and_the_first_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "TURNS", 1)
    clock = iter([0.0, 0.001, 0.0, 0.001, 0.0, 0.001, 0.0, 0.007, 0.0, 0.005, 0.0, 0.006])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    assert speed._best({"call": lambda: None}) == {"call": 5.0}


def test_every_engine_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "TURNS", 1)
    monkeypatch.setattr(speed, "_dnsmos", lambda _: None)
    found = speed.measure()
    engines = ["adds", "float32_torch", "exact_torch"]
    for part in (found, found["with_front_end"]):
        assert list(part["ms_per_window"]) == engines
        assert min(part["ms_per_window"].values()) > 0
        assert part["times_slower_than_adds"]["adds"] == 1.0
    assert found["with_front_end"]["ms_per_window"]["adds"] > found["ms_per_window"]["adds"]
    assert found["dnsmos_p808_times_slower_than_adds"] is None
    assert list(found["ms_per_second_of_audio"]) == ["adds"]
    assert found["cpu"]
