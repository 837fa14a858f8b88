"""Every component documents its ports as they are, and every configured width works."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from amaranth.hdl import Shape, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from hw import packets, program, tokens
from hw.accelerator import Accelerator
from hw.accumulator import Accumulator
from hw.arbiter import Arbiter
from hw.array import Array
from hw.bare_array import BareArray, BareColumn
from hw.block_memory import BlockMemory
from hw.cell_kinds import CELLS
from hw.cells.cell import Cell
from hw.chain import Chain
from hw.code_end import CodeEnd
from hw.code_memory import CodeMemory
from hw.column import Column
from hw.column_end import ColumnEnd
from hw.commander import Commander
from hw.compact_array import CompactArray
from hw.compact_fetch import CompactFetch
from hw.compact_ingest import CompactIngest
from hw.compact_reader import CompactReader
from hw.compact_sequencer import CompactSequencer
from hw.config import Config
from hw.delay_line import DelayLine
from hw.doubling_sum import DoublingSum
from hw.end_steps import ENDS, EndSteps
from hw.end_total import EndTotal
from hw.fill import Fill
from hw.ingest import Ingest
from hw.loader import Loader
from hw.memories import MapMemory
from hw.pass_fetch import PassFetch
from hw.pooled_end import PooledEnd
from hw.reader import Reader
from hw.sequencer import Sequencer
from hw.variants import VARIANTS
from hw.walker import Walker
from hw.window import Window
from hw.writer import Writer

ROOT = Path(__file__).parents[2]

CONFIGS = [
    Config(lanes=1, columns=1, acc_bits=9),
    Config(lanes=6, columns=5, groups=3, acc_bits=20),
    Config(lanes=16, columns=40, groups=8, acc_bits=32),
    Config(lanes=8, columns=3, groups=2, acc_bits=20, cell="table"),
    Config(lanes=3, columns=2, acc_bits=24, cell="mac"),
    Config(lanes=10, columns=2, acc_bits=24, cell="mac", code_frames=3),
]

KINDS = {
    kind.__name__: kind
    for kind in (
        Accelerator, Accumulator, Arbiter, Array, BareArray, BareColumn, BlockMemory, Cell, Chain,
        CodeEnd, CodeMemory, Column, ColumnEnd, Commander, CompactArray, CompactFetch,
        CompactIngest, CompactReader, CompactSequencer, DelayLine, DoublingSum, EndSteps, EndTotal,
        Fill, Ingest, Loader, MapMemory, PassFetch, PooledEnd, Reader, Sequencer, Walker, Window,
        Writer,
    )
}


def components():
    """Every component of the package."""
    found = set()
    for path in (ROOT / "hw").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for thing in vars(importlib.import_module(name)).values():
            if inspect.isclass(thing) and issubclass(thing, wiring.Component):
                found.add(thing)
    return found


LIKE_OTHERS = {
    kind for kind in components() - {Cell} if kind.__module__.startswith(("hw.cells", "hw.vendor"))
}
"""Those have the ports of what they stand for, and their docstrings name it."""


def test_every_component_is_here():
    assert set(CELLS.values()) <= LIKE_OTHERS
    assert {each for kind in VARIANTS.values() for each in kind.values()} <= LIKE_OTHERS
    assert components() - {wiring.Component, Memory} - LIKE_OTHERS == set(KINDS.values())


@pytest.mark.parametrize("kind", sorted(LIKE_OTHERS, key=str), ids=lambda k: k.__name__)
def test_what_stands_for_another_has_its_ports_and_names_it(kind, used):
    """A cell those of `Cell` with its own widths, a variant those of what it replaces."""
    parents = [c for c in kind.__mro__[1:] if c.__module__.startswith("hw.")]
    assert any(f"{p.__module__}.{p.__name__}" in kind.__doc__ for p in parents) or any(
        p.__module__ == kind.__module__ for p in parents
    )
    if issubclass(kind, Cell):
        made = used(kind(i_bits=9, sum_bits=30))
        assert list(made.signature.members) == [name for name, _ in documented(Cell)]
        assert len(made.acts) == kind.lanes * kind.act_bits
        assert (len(made.data), 1 << len(made.addr)) == (
            kind.data_bits, max(2, kind.entries) << kind.buffered,
        )
    else:
        assert kind.__init__ is parents[0].__init__


def make(kind, config):
    """Build a component of any kind for `config`."""
    special = {
        Arbiter: Arbiter,
        BlockMemory: lambda: BlockMemory(words=2049, width=10, chunks=2),
        Cell: lambda: Cell(i_bits=9, sum_bits=10),
        Commander: lambda: Commander(config, identity=1),
        CompactFetch: lambda: CompactFetch(program_words=512, pass_bits=9),
        CompactIngest: lambda: CompactIngest(code_words=300),
        CompactSequencer: lambda: CompactSequencer(program_words=512, code_words=300),
        DelayLine: lambda: DelayLine(width=10, cycles=3),
        DoublingSum: lambda: DoublingSum(i_bits=9, bits=10),
        EndSteps: lambda: EndSteps(delay=3),
        EndTotal: lambda: EndTotal(bits=10),
        Fill: lambda: Fill(bits=10),
        Ingest: Ingest,
        PassFetch: PassFetch,
        Sequencer: Sequencer,
    }
    return special.get(kind, lambda: kind(config))()


def documented(kind):
    """Name and declaration of every port in the section Members."""
    found = re.search(r"Members\n\s*-------\n(.*?)(?=\n\n|\Z)", kind.__doc__, re.DOTALL)
    assert found, f"{kind.__name__} has no section Members"
    return re.findall(r"^    (\w+) : (.+)$", found[1], re.MULTILINE)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.cell}-{c.lanes}x{c.columns}")
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_ports_are_documented_as_they_are(kind, config, used):
    component = used(make(kind, config))
    ports = documented(kind)
    members = component.signature.members
    assert [name for name, _ in ports] == list(members)
    words = {
        **vars(packets), **vars(program), **vars(tokens), "ENDS": ENDS, "signed": signed,
        "range": range, "In": wiring.In, "Out": wiring.Out, "config": config,
        "lanes": config.lanes, "columns": config.columns, "groups": config.groups,
        "acc_bits": config.acc_bits, "row_chunks": config.row_chunks, "i_bits": 9,
        "code_frames": config.code_frames, "code_banks": config.code_banks,
        "sum_bits": 10, "bits": 10, "array_sum_bits": config.array_sum_bits,
        "word_bits": config.word_bits, "words": 2049, "width": 10, "chunks": 2,
    }
    if kind is Cell:
        words |= {"lanes": Cell.lanes, "act_bits": Cell.act_bits, "data_bits": Cell.data_bits}
    else:
        words["act_bits"] = config.act_bits
    for name, text in ports:
        there = members[name]
        assert text.startswith("In(" if there.flow == wiring.In else "Out("), name
        if "..." in text or " of " in text:
            continue  # a width that only its formula tells
        said = eval(text, words)
        if there.is_port:
            assert Shape.cast(said.shape).width == Shape.cast(there.shape).width, name
            assert said.dimensions == there.dimensions, name
        else:
            assert said.signature.members.keys() == there.signature.members.keys(), name


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_docstring_says_what_when_and_for_which_parameters(kind):
    text = kind.__doc__
    first = text.splitlines()[0]
    assert first.endswith((".", "``."))
    assert "**Timing**" in text
    for name in inspect.signature(kind.__init__).parameters:
        if name != "self":
            assert re.search(rf"Parameters\n\s*----------\n(.*\n)*?    {name}\n", text), name
