"""A microphone, as far as that can be tried without one."""

import sys
from types import ModuleType

import numpy as np
import pytest

from boards.microphone import MicrophoneError, microphone


class Stream:
    """What `sounddevice.InputStream` is to `microphone`: a tone, for five blocks."""

    opened: dict[str, object]

    def __init__(self, **options: object) -> None:
        type(self).opened = options
        if options["device"] == "none":
            raise ValueError("No input device matching 'none'")
        self._blocks = 0

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.opened["closed"] = True

    def read(self, count: int) -> tuple[np.ndarray, bool]:
        if self._blocks == 5:
            raise PortAudioError("Device unavailable")
        at = np.arange(count) + self._blocks * count
        self._blocks += 1
        return np.sin(at / 10).astype(np.float32)[:, None], self._blocks == 3


class PortAudioError(Exception):
    pass


@pytest.fixture
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> type[Stream]:
    module = ModuleType("sounddevice")
    vars(module).update(InputStream=Stream, PortAudioError=PortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return Stream


def heard(device: str, rate: int) -> tuple[list[np.ndarray], list[str], str]:
    said: list[str] = []
    found: list[np.ndarray] = []
    with pytest.raises(MicrophoneError) as error:
        found.extend(microphone(device, rate, 16000, said.append))
    return found, said, str(error.value)


def test_blocks_come_until_it_is_pulled_out(sounddevice: type[Stream]) -> None:
    found, said, error = heard("", 16000)
    np.testing.assert_array_equal(
        np.concatenate(found), np.sin(np.arange(1600) / 10).astype(np.float32),
    )
    assert [block.size for block in found] == [320] * 5
    assert said == ["microphone: samples were lost"]
    assert error.endswith("at 16000 Hz, not give: Device unavailable")
    assert sounddevice.opened == {
        "samplerate": 16000, "channels": 1, "dtype": "float32", "device": None, "closed": True,
    }


def test_its_rate_is_converted(sounddevice: type[Stream]) -> None:
    found, _, _ = heard("", 48000)
    assert sounddevice.opened["samplerate"] == 48000
    assert 0 < sum(block.size for block in found) <= 1600


@pytest.mark.parametrize(("device", "which"), [("0", 0), ("3", 3), ("USB", "USB")])
def test_a_device_is_a_number_or_a_name(
    device: str, which: object, sounddevice: type[Stream],
) -> None:
    heard(device, 16000)
    assert sounddevice.opened["device"] == which


def test_no_such_device(sounddevice: type[Stream]) -> None:
    _, _, error = heard("none", 16000)
    assert error.endswith("not give: No input device matching 'none'")


def test_without_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    _, _, error = heard("", 16000)
    assert error.startswith("sounddevice must be installed to hear a microphone (pip install")


def test_without_portaudio(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    _, _, error = heard("", 16000)
    assert error.startswith("PortAudio must be installed to hear a microphone")


def test_a_rate_that_is_none() -> None:
    with pytest.raises(ValueError, match="rate must be at least 1000 Hz, not 1"):
        next(microphone("", 1, 16000, print))
