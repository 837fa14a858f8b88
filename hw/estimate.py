"""The cycle model: what a network takes on a machine, exactly, from shapes alone."""

from dataclasses import dataclass, replace
from typing import Any

from golden.network import Network
from hw.clock import Clock
from hw.config import CODE_RINGS, GREATEST, Config
from hw.fit import FitError
from hw.lower import program_words
from hw.schedule import Schedule, schedule


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerEstimate:
    """One layer's share.

    Parameters
    ----------
    name
        The layer's name.
    cycles
        Cycles of its runs, their beginning and their draining included.
    accumulates
        Binary x int8 operations, see `golden.layer.Layer.accumulates`.
    utilisation
        Accumulates / (lanes x columns x cycles).
    """

    name: str
    cycles: int
    accumulates: int
    utilisation: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a network takes on a machine.

    Parameters
    ----------
    layers
        In order.
    cycles
        From the first code accepted to the last raw word; network resident, streams never
        stalled, maps not read out.
    load_cycles
        From the first word of the network's packets to their last answer.
    lanes, columns
        Of the machine.
    memory_bits
        Bits that the network takes of each memory.
    fits
        Whether the machine's memories hold it; if not, `cycles` are those of larger memories.
    why
        What does not fit, or nothing.
    """

    layers: tuple[LayerEstimate, ...]
    cycles: int
    load_cycles: int
    lanes: int
    columns: int
    memory_bits: dict[str, int]
    fits: bool
    why: str = ""

    @property
    def utilisation(self) -> float:
        """Accumulates / (lanes x columns x cycles) of the whole network."""
        return sum(layer.accumulates for layer in self.layers) / (
            self.lanes * self.columns * self.cycles
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate as plain data."""
        return {
            "layers": [
                {
                    "name": layer.name,
                    "cycles": layer.cycles,
                    "accumulates": layer.accumulates,
                    "utilisation": layer.utilisation,
                }
                for layer in self.layers
            ],
            "cycles": self.cycles,
            "load_cycles": self.load_cycles,
            "utilisation": self.utilisation,
            "lanes": self.lanes,
            "columns": self.columns,
            "memory_bits": self.memory_bits,
            "fits": self.fits,
            "why": self.why,
        }


def estimate(network: Network, config: Config) -> Estimate:
    """Predict every cycle of `network` on `config`, and the memory that it takes.

    Raises
    ------
    FitError
        The network does not fit for another reason than the size of the memories.
    """
    why = ""
    try:
        plan = schedule(network, config)
        words = program_words(plan)
        if words > config.program_words:
            raise FitError(
                f"the program does not fit: it has {words} words, {config.program_words} are there",
            )
    except FitError as error:
        why = str(error)
        plan = schedule(network, _boundless(config))
        words = program_words(plan)
    cycles, by_layer = Clock(plan).play()
    layers = []
    for number, (layer, shape) in enumerate(zip(network.layers, network.shapes, strict=False)):
        accumulates = layer.accumulates(shape)
        layers.append(
            LayerEstimate(
                name=layer.name,
                cycles=by_layer[number],
                accumulates=accumulates,
                utilisation=accumulates / (config.lanes * config.columns * by_layer[number]),
            ),
        )
    return Estimate(
        layers=tuple(layers),
        cycles=cycles,
        load_cycles=words + 4 * (-(-plan.weight_rows * config.columns // 4)) + 6,
        lanes=config.lanes,
        columns=config.columns,
        memory_bits=_memory_bits(plan, words),
        fits=not why,
        why=why,
    )


def _boundless(config: Config) -> Config:
    """Return `config` with the largest memories that a program can address."""
    return replace(
        config,
        code_words=GREATEST["code_words"] if config.code_frames == 1 else CODE_RINGS[-1],
        map_words=GREATEST["map_words"],
        weight_rows=GREATEST["weight_rows"],
        partial_sums=GREATEST["partial_sums"],
        program_words=GREATEST["program_words"],
    )


def _memory_bits(plan: Schedule, words: int) -> dict[str, int]:
    config = plan.config
    longest = max(
        (s.block_groups * s.group_pixels for s in plan.stages if len(s.passes) > 1), default=0,
    )
    return {
        "weights": plan.weight_rows * config.columns * 8,
        "codes": plan.rings[0].size * 8,
        "maps": plan.map_words // config.row_words * config.row_bits,
        "partial_sums": longest * config.columns * config.acc_bits,
        "program": words * 32,
    }
