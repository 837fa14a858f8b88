"""The front-end on a stream gives the codes of the whole, however the samples come."""

from dataclasses import replace

import numpy as np
import pytest

from golden import clip, netfile
from golden.audio import load
from golden.front_end import FrontEnd, codes, standardised
from golden.listener import Listener
from golden.random_networks import tiny_network

PAPER = standardised(
    np.linspace(-6, 2, 120).astype(np.float32), np.linspace(2, 4, 120).astype(np.float32),
)
SPARSE = replace(PAPER, window=200, hop=330, clip_hop_seconds=0.5)  # with samples that nobody hears
ODD = replace(PAPER, log="db", window=639, hop=257)  # windows share no frames: blocks of 64


@pytest.mark.parametrize("front_end", [PAPER, SPARSE, ODD], ids=["paper", "sparse", "odd"])
@pytest.mark.parametrize("longest", [1, 90, 700, 5000, 60_000])
def test_codes_are_those_of_the_whole(front_end: FrontEnd, longest: int) -> None:
    rng = np.random.default_rng(longest)
    size = 3000 if longest == 1 else 100_000
    samples = (rng.standard_normal(size) * np.linspace(0, 0.3, size)).astype(np.float32)
    listener, found, at = Listener(front_end), [], 0
    while at < size:
        end = at + int(rng.integers(0, longest + 1))
        found.append(listener.hear(samples[at:end]))
        at = end
    np.testing.assert_array_equal(np.concatenate(found, 2), codes(samples, front_end))


def test_the_demo_clip_frame_by_frame() -> None:
    front_end = netfile.load(clip.SHIPPED).front_end
    assert front_end is not None
    samples = load(clip.DEMO)
    listener = Listener(front_end)
    found = [listener.hear(samples[at : at + 320]) for at in range(0, samples.size, 320)]
    assert [each.shape[2] for each in found] == [0] + [1] * 249
    np.testing.assert_array_equal(np.concatenate(found, 2), codes(samples, front_end))


def test_codes_of_fewer_bits() -> None:
    front_end = tiny_network().front_end
    assert front_end is not None
    samples = np.random.default_rng(0).standard_normal(50_000).astype(np.float32)
    np.testing.assert_array_equal(
        Listener(front_end, 3).hear(samples), codes(samples, front_end, 3),
    )


def test_levels_relative_to_a_maximum_are_refused() -> None:
    with pytest.raises(ValueError, match="reference must be absolute to hear endless audio"):
        Listener(replace(PAPER, reference="max"))


def test_centred_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="kind must be log-mel to hear endless audio"):
        Listener(replace(PAPER, kind="log-mel-centred"))
