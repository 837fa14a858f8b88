"""Do they agree? The RTL against the oracles, at every layer boundary."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from golden.adds.engine import AddsEngine
from golden.agreement import Agreement, agreement
from golden.naive import NaiveEngine
from golden.network import Network
from golden.torch_engine import TorchEngine
from golden.trace import Difference, Engine, LayerAgreement, Trace
from hw.estimate import estimate
from hw.lower import lower
from sim import waves as waveform
from sim.engine import Codes, RtlEngine

NAIVE_PIXELS = 50_000
"""Output pixels, all layers and clips, up to which the nested loops are asked, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What a comparison with the oracles found.

    Parameters
    ----------
    layers
        Elements and mismatches of each layer, summed over the clips; the worse of the oracles.
    first
        The clip that differs first, counted from 0, and its first difference; None where all is
        identical.
    oracles
        The engines that it was compared with.
    """

    layers: tuple[LayerAgreement, ...]
    first: tuple[int, Difference] | None
    oracles: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether no element of any clip differs."""
        return self.first is None

    def as_dict(self) -> dict[str, Any]:
        """Return what ``bambino verify --json`` prints."""
        layers = [
            {"name": layer.name, "elements": layer.elements, "mismatches": layer.mismatches}
            for layer in self.layers
        ]
        return {"identical": self.identical, "layers": layers}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified(Compared):
    """What a verification of the RTL found, see `Compared`.

    Parameters
    ----------
    layers, first, oracles
        As there.
    cycles
        Of one clip, without reading maps out, as simulated.
    estimated_cycles
        The same as `hw.estimate` predicts it.
    load_cycles
        Of loading the network, as simulated.
    """

    cycles: int
    estimated_cycles: int
    load_cycles: int

    @property
    def good(self) -> bool:
        """Whether all elements are identical and the cycles are those predicted."""
        return self.identical and self.cycles == self.estimated_cycles

    def as_dict(self) -> dict[str, Any]:
        """Return what ``bambino verify --json`` prints."""
        return Compared.as_dict(self) | {
            "cycles": self.cycles,
            "estimated_cycles": self.estimated_cycles,
            "load_cycles": self.load_cycles,
        }


def oracles(network: Network, clips: int) -> list[Engine]:
    """Return torch's exact integers, additions alone and, where they are quick, nested loops."""
    pixels = sum(
        prod(layer.map_shape(shape))
        for layer, shape in zip(network.layers, network.shapes[:-1], strict=True)
    )
    small = pixels * clips <= NAIVE_PIXELS
    quick: list[Engine] = [TorchEngine(), AddsEngine()]
    return [*quick, NaiveEngine()] if small else quick


def _summed(same: Sequence[LayerAgreement]) -> LayerAgreement:
    return LayerAgreement(
        name=same[0].name,
        elements=same[0].elements,
        mismatches=max(each.mismatches for each in same),
    )


def compare(network: Network, clips: Sequence[Codes], got: Sequence[Trace]) -> Compared:
    """Compare the traces of `clips` with those of the oracles.

    Parameters
    ----------
    network
        What ran.
    clips
        uint8 ``[channel, band, frame]`` each, at least one.
    got
        A trace of each, with its maps.
    """
    compared: dict[str, Agreement] = {}
    for oracle in oracles(network, len(clips)):
        expected = [oracle.predict(network, codes) for codes in clips]
        compared[oracle.name] = agreement(network, expected, got)
    return Compared(
        layers=tuple(map(_summed, zip(*(each.layers for each in compared.values()), strict=True))),
        first=next((each.first for each in compared.values() if each.first is not None), None),
        oracles=tuple(compared),
    )


def verify(
    engine: RtlEngine,
    network: Network,
    clips: Sequence[Codes],
    *,
    waves: Path | None = None,
) -> Verified:
    """Run `clips` in simulation and compare every layer's output with the oracles'.

    The first clip is run once more without reading its maps out, which gives the cycles.

    Parameters
    ----------
    engine
        The machine, in simulation.
    network
        What to run.
    clips
        uint8 ``[channel, band, frame]`` each, at least one.
    waves
        Where to write the waveform (VCD) of the cycles round the first difference, if there is
        one; nothing is written if there is none.

    Raises
    ------
    ValueError
        There are no clips, or the network does not fit the machine.
    OSError
        The waveform's folder cannot be written; nothing is simulated then.
    SimulationError
        The machine hung, answered with an error or broke a rule of its streams.
    """
    if not clips:
        raise ValueError("verify needs at least one clip, not none")
    if waves is not None and not os.access(waves.resolve().parent, os.W_OK):
        raise OSError(f"the waveform's folder must be writable, not {waves.resolve().parent}")
    predicted = estimate(network, engine.config)
    bare, mapped = (lower(network, engine.config, maps=maps) for maps in (False, True))
    (plain,), got = engine.predict_lowered([(bare, clips[:1]), (mapped, clips)])
    found = compare(network, clips, got)
    if found.first is not None and waves is not None:
        waveform.write(engine, network, clips[found.first[0]], found.first[1], waves)
    assert plain.cycles is not None  # an engine with a clock
    assert plain.load_cycles is not None
    return Verified(
        layers=found.layers,
        first=found.first,
        oracles=found.oracles,
        cycles=plain.cycles,
        estimated_cycles=predicted.cycles,
        load_cycles=plain.load_cycles,
    )
