"""What the command line's options choose: the network, the machine, the engine."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from boards.side_by_side import side_by_side
from golden import clip, netfile
from golden.network import Network
from golden.random_networks import tiny_network
from golden.trace import Trace
from hw.cell_kinds import CELLS
from hw.config import Config
from hw.presets import preset

if TYPE_CHECKING:
    from boards.compare.job import Target as Family
    from boards.link.engine import Target
    from golden.monitor import Follower
    from sim.engine import RtlEngine

Predict = Callable[[Network, Iterable[NDArray[np.uint8]]], list[Trace]]


def network(path: Path | None, machine: str, *, eight_bit: bool = False) -> Network:
    """Load the network of the file `path`; without one, what goes with the preset `machine`.

    That is the shipped network, but for `tiny` an untrained one that fits it. With `eight_bit` it
    is the network of the same shape with 8-bit activations, see `golden.sibling`.
    """
    if path is None and machine == "tiny":
        chosen = tiny_network()
    else:
        chosen = netfile.load(clip.SHIPPED if path is None else path)
    if eight_bit:
        from golden import sibling

        return sibling.eight_bit(chosen)
    return chosen


def config(
    machine: str, lanes: int | None = None, columns: int | None = None, cell: str | None = None,
) -> Config:
    """Return the preset `machine` with other lanes, columns or cells where they are given.

    Another cell may span more lanes than a group of the preset has, or take whole codes; then the
    groups are as many as it leaves, and the sums as wide as whole codes want. Where a group has
    lanes enough, all taps of the first kernel stand in it, see `boards.side_by_side`. A cell with
    two tables makes the machine a compact one, for no other has it.
    """
    chosen = preset(machine)
    kind = chosen.cell if cell is None else cell
    lanes = chosen.lanes if lanes is None else lanes
    groups, acc_bits = chosen.groups, chosen.acc_bits
    if kind in CELLS and kind != chosen.cell:
        span, act_bits = CELLS[kind].lanes, CELLS[kind].act_bits
        groups = 1 if act_bits > 1 else max(1, min(groups, lanes // span))
        acc_bits = -(-acc_bits // act_bits) * act_bits
    changed = replace(
        chosen,
        lanes=lanes,
        columns=chosen.columns if columns is None else columns,
        groups=groups,
        acc_bits=acc_bits,
        cell=kind,
        compact=chosen.compact or (kind in CELLS and CELLS[kind].buffered),
    )
    return side_by_side(changed)


def check_memories(machine: Config, family: str) -> None:
    """Refuse weights in single-port RAM for a family of chips of which none has any."""
    if machine.single_port and family != "ice40":
        raise ValueError(
            f"single_port must be false on {family}: of all parts only the iCE40 UP5K has"
            " single-port RAM for the weights",
        )


def simulated(
    machine: Config, report: Callable[[str], None], family: "Family | None" = None,
) -> "RtlEngine":
    """Load the engine that simulates `machine`: its Verilog, or its netlist on a `family`."""
    if family is None:
        from sim.engine import RtlEngine

        return RtlEngine(machine, report=report)
    from boards.netlist.engine import NetlistEngine

    check_memories(machine, family)
    return NetlistEngine(machine, family, report=report)


def engine(
    name: str,
    machine: Config,
    report: Callable[[str], None],
    target: "Target | None" = None,
    family: "Family | None" = None,
) -> Predict:
    """Load the engine `name`; it takes a clip's windows, as they come, and keeps no maps.

    Parameters
    ----------
    name
        Of the engine.
    machine
        That `rtl` and `netlist` simulate.
    report
        Called with a line before and after a build.
    target
        Where the engine `board` finds its board.
    family
        The chips of the engine `netlist`.
    """
    if target is not None:
        from boards.link.engine import predict_at

        ask = partial(predict_at, target, report=report)
        return lambda network, windows: ask(network, list(windows))
    if name in ("rtl", "netlist"):
        simulate = partial(simulated(machine, report, family).predict_many, maps=False)
        return lambda network, windows: simulate(network, list(windows))
    if name == "adds":
        from golden.adds.engine import AddsEngine

        add = partial(AddsEngine(report=report).predict, maps=False)
        return lambda network, windows: [add(network, codes) for codes in windows]
    if name == "naive":
        from golden.naive import NaiveEngine

        predict = NaiveEngine().predict
    else:
        from golden.torch_engine import TorchEngine

        predict = TorchEngine().predict
    return lambda network, windows: [
        replace(predict(network, codes), outputs={}) for codes in windows
    ]


def follower(
    name: str, machine: Config, report: Callable[[str], None], target: "Target | None" = None,
) -> "Follower":
    """Load the engine `name` that follows endless audio; parameters as of `engine`."""
    if target is not None:
        from boards.link.engine import BoardFollower

        return BoardFollower(target, report)
    if name == "rtl":
        from sim.monitor import RtlFollower

        return RtlFollower(machine, report=report)
    if name == "adds":
        from golden.adds.engine import AddsEngine
        from golden.monitor import Windows

        add = partial(AddsEngine(report=report).predict, maps=False)
        return Windows(name, lambda network, codes: add(network, codes).raw)
    from golden.torch_monitor import TorchFollower

    return TorchFollower()


def target(
    port: str | None, name: str | None, baud: int | None, machine: Config | None,
) -> "Target":
    """Return which board the options mean; the machine is only what it is expected to hold."""
    from boards import known
    from boards.link.engine import Target

    if not port:
        raise ValueError("--engine board must come with --port")
    if baud is not None and baud < 1:
        raise ValueError(f"baud must be at least 1, not {baud}")
    board = None if name is None else known.board(name)
    return Target(port=port, board=board, baud=baud, config=machine)
