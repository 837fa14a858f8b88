"""Results as tables for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from golden.clip import ClipScore
from golden.network import Network
from hw.config import Config

if TYPE_CHECKING:  # what loads torch or cocotb is not needed to print a table
    from boards.link.describe import Description
    from boards.resources import Figure, Resources
    from golden.evaluate import Evaluation
    from golden.sister import Sister
    from hw.endless import EndlessEstimate
    from hw.estimate import Estimate
    from sim.verify import Compared, Verified

RESOURCES = {
    "ecp5": {"lut": "LUT4", "ff": "FF", "bram": "block RAM, 18 kbit", "dsp": "DSP, 18x18"},
    "ice40": {
        "lut": "logic cells", "ff": "FF", "bram": "block RAM, 4 kbit", "dsp": "DSP, 16x16",
        "spram": "single-port RAM, 256 kbit",
    },
}
CLOCKS_MHZ = (12, 100)
"""Of the smallest boards, and of what a larger one reaches with ease."""


def table(title: str, columns: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column names things, the others are figures."""
    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for i, name in enumerate(columns):
        drawn.add_column(name, justify="right" if i else "left")
    for row in rows:
        drawn.add_row(*row)
    Console().print(drawn)


def count(value: object) -> str:
    """Write a whole number with commas, and a missing one as a dash."""
    return "-" if value is None else f"{value:,}"


def score(result: ClipScore, engine: str, seconds: float) -> None:
    """Print the scores of every window and their mean."""
    rows = [
        [f"{window.start:g} s", count(window.cycles), *numbers(window.scores)]
        for window in result.windows
    ]
    rows.append(["mean", count(result.cycles), *numbers(result.scores)])
    table(f"{engine}, {seconds:.2f} s", ["window", "cycles", *result.scores], rows)


def verification(
    found: "Verified", predicted: "Estimate", windows: int, seconds: float | None, engine: str,
) -> None:
    """Print agreement layer by layer, cycles, utilisation and speed; a window lasts `seconds`."""
    rows = [
        [
            layer.name,
            count(layer.elements),
            count(layer.mismatches),
            count(costs.cycles),
            f"{costs.utilisation:.1%}",
        ]
        for layer, costs in zip(found.layers, predicted.layers, strict=True)
    ]
    elements = sum(layer.elements for layer in found.layers)
    mismatches = sum(layer.mismatches for layer in found.layers)
    used = f"{predicted.utilisation:.1%}"
    rows.append(["all", count(elements), count(mismatches), count(found.cycles), used])
    against = " and ".join(found.oracles)
    title = f"{engine} against {against}, {windows} window{'s' if windows > 1 else ''}"
    table(title, ["layer", "elements", "mismatches", "cycles of one", "utilisation"], rows)
    print(f"identical: {'yes' if found.identical else 'NO'}")
    print(f"cycles of one window: {found.cycles:,}, estimated {found.estimated_cycles:,}")
    print(f"cycles of loading the network: {found.load_cycles:,}")
    if seconds is not None:
        for clock in CLOCKS_MHZ:
            ms = found.cycles / clock / 1e3
            factor = ms / (seconds * 1e3)
            print(f"at {clock} MHz: {ms:.1f} ms a window, real-time factor {factor:.5f}")


def agreement(found: "Compared", board: "Description", windows: int) -> None:
    """Print agreement layer by layer, and how well a board's line did."""
    rows = [[each.name, count(each.elements), count(each.mismatches)] for each in found.layers]
    elements = sum(layer.elements for layer in found.layers)
    rows.append(["all", count(elements), count(sum(layer.mismatches for layer in found.layers))])
    against = " and ".join(found.oracles)
    title = f"board against {against}, {windows} window{'s' if windows > 1 else ''}"
    table(title, ["layer", "elements", "mismatches"], rows)
    print(f"identical: {'yes' if found.identical else 'NO'}")
    print(f"bitstream {board.digest:016x}, {board.config.lanes} x {board.config.columns}")
    print(f"frames that the board dropped: {board.dropped:,}, replies repeated: {board.repeated:,}")


def origin(network: Network) -> None:
    """Print what the network is, so that nobody takes an untrained one's scores for any."""
    about = network.about
    print(f"network: {about.get('name', about.get('origin', 'says nothing of itself'))}")


def estimation(found: "Estimate") -> None:
    """Print every layer's cycles and what each memory holds."""
    rows = [
        [layer.name, count(layer.accumulates), count(layer.cycles), f"{layer.utilisation:.1%}"]
        for layer in found.layers
    ]
    work = sum(layer.accumulates for layer in found.layers)
    rows.append(["all", count(work), count(found.cycles), f"{found.utilisation:.1%}"])
    title = f"{found.lanes} lanes x {found.columns} columns"
    table(title, ["layer", "accumulates", "cycles", "utilisation"], rows)
    table("memory", ["of", "bits"], [[k, count(v)] for k, v in found.memory_bits.items()])
    print(f"cycles of loading the network: {found.load_cycles:,}")
    print("fits" if found.fits else f"does not fit: {found.why}")


def endless(found: "EndlessEstimate | None") -> None:
    """Print how a machine keeps up with endless audio."""
    if found is None or found.why:
        print(f"endless audio: {'no maximum over a map' if found is None else found.why}")
        return
    print(f"endless audio: {found.cycles:,} cycles from score to score,", end=" ")
    print(f"{found.latency:,} of them after the last frame")
    for clock in CLOCKS_MHZ:
        line = f"at {clock} MHz: a score {found.latency / clock / 1e3:.2f} ms after its last frame"
        if found.seconds is not None:
            factor = found.cycles / clock / 1e6 / found.seconds
            line += f", every {found.seconds:g} s; real-time factor {factor:.5f}"
        print(line)


def resources(found: "Resources") -> None:
    """Print what a machine will take, and how far such predictions were off."""
    figures: dict[str, Figure | None] = {
        "lut": found.lut, "ff": found.ff, "bram": found.bram, "dsp": found.dsp,
        "spram": found.spram,
    }
    rows = [
        [name, "-", "-", "-"] if figure is None else
        [name, count(figure.value), f"{figure.error.median:.1%}", f"{figure.error.worst:.1%}"]
        for short, name in RESOURCES[found.target].items()
        for figure in (figures[short],)
    ]
    title = f"resources of {found.target} (errors: machines not fitted)"
    table(title, ["of", "number", "median error", "worst"], rows)
    if found.why:
        print(f"not predicted: {found.why}")
    else:
        print(f"part: {found.device or 'none that is known holds it'}")
    clock = found.fmax_mhz
    if clock is None:
        print("clock: not known, no such machine was placed and routed")
    else:
        span = f"{clock.low:g} to {clock.high:g}"
        print(f"clock: {clock.median:g} MHz ({span}) as in {clock.runs} runs of {clock.of}")
        if clock.error is not None:
            error = f"{clock.error.median:.1%} in the median, {clock.error.worst:.1%} at worst"
            print(f"such clocks were off by {error} (each machine from the others)")


def fit(model: Mapping[str, Any], targets: Sequence[str]) -> None:
    """Print how well the resource model holds."""
    rows = [
        [f"{target} {RESOURCES[target][name]}", sort.replace("_", " "), count(each["shapes"]),
         f"{each['median']:.1%}", f"{each['worst']:.1%}"]
        for target in targets
        for sort, errors in model["targets"][target]["errors"].items()
        for name, each in errors.items()
        if name in RESOURCES[target]
    ]
    for target in targets:
        error = model["targets"][target]["clock"]["error"]
        if error is not None:
            off = [f"{error['median']:.1%}", f"{error['worst']:.1%}"]
            rows.append([f"{target} clock", "each from others", count(error["shapes"]), *off])
    table("fit", ["of", "machines", "how many", "median error", "worst"], rows)


def evaluation(result: "Evaluation") -> None:
    """Print how well a network predicts."""
    rows = [
        ["mixes", count(result.n)],
        ["PCC", f"{result.pcc:.4f}"],
        ["its 95 % interval", f"{result.pcc_low:.4f} to {result.pcc_high:.4f}"],
        ["SRCC", f"{result.srcc:.4f}"],
        ["MSE", f"{result.mse:.4f}"],
    ]
    rows += [
        [f"{layer.name}: integers unlike floats", f"{layer.mismatches:,} of {layer.elements:,}"]
        for layer in result.layers
    ]
    table("evaluation", ["", ""], rows)


def sister(found: "Sister") -> None:
    """Print where each layer comes from, and how much of the original is left."""
    table("imported", ["layer", "node"], found.origins.items())
    rows = [[name, f"{pcc:.4f}"] for name, pcc in found.valid.items()]
    table("PCC with the original, validation mixes", ["network", "PCC"], rows)
    print(found.path)


def presets(known: dict[str, Config]) -> None:
    """Print every parameter of every preset."""
    names = [field.name for field in fields(Config)]
    rows = [[name, *(str(getattr(config, name)) for config in known.values())] for name in names]
    table("presets", ["parameter", *known], rows)


def numbers(scores: dict[str, float]) -> list[str]:
    """Write scores with four decimals."""
    return [f"{value:.4f}" for value in scores.values()]
