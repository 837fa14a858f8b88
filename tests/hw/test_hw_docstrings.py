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
from hw.cells.gated import GatedCell
from hw.column import Column
from hw.column_end import ColumnEnd
from hw.commander import Commander
from hw.config import Config
from hw.end_steps import ENDS, EndSteps
from hw.group_sum import GroupSum
from hw.ingest import Ingest
from hw.loader import Loader
from hw.memories import MapMemory
from hw.pass_fetch import PassFetch
from hw.reader import Reader
from hw.sequencer import Sequencer
from hw.walker import Walker
from hw.window import Window
from hw.writer import Writer

ROOT = Path(__file__).parents[2]

CONFIGS = [
    Config(lanes=1, columns=1, acc_bits=9),
    Config(lanes=6, columns=5, groups=3, acc_bits=20),
    Config(lanes=16, columns=40, groups=8, acc_bits=32),
]

KINDS = {
    kind.__name__: kind
    for kind in (
        Accelerator, Accumulator, Arbiter, Array, Column, ColumnEnd, Commander, EndSteps,
        GatedCell, GroupSum, Ingest, Loader, MapMemory, PassFetch, Reader, Sequencer, Walker,
        Window, Writer,
    )
}


def test_every_component_is_here():
    found = set()
    for path in (ROOT / "hw").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for thing in vars(importlib.import_module(name)).values():
            if inspect.isclass(thing) and issubclass(thing, wiring.Component):
                found.add(thing)
    assert found - {wiring.Component, Memory} == set(KINDS.values())


def make(kind, config):
    """Build a component of any kind for `config`."""
    special = {
        Arbiter: Arbiter,
        Column: lambda: Column(config, GatedCell),
        Commander: lambda: Commander(config, identity=1),
        EndSteps: lambda: EndSteps(delay=3),
        GatedCell: lambda: GatedCell(i_bits=9, sum_bits=10),
        GroupSum: lambda: GroupSum(groups=config.groups, group_lanes=config.group_lanes),
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


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.lanes}x{c.columns}")
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
        "sum_bits": 10,
    }
    for name, text in ports:
        there = members[name]
        assert text.startswith("In(" if there.flow == wiring.In else "Out("), name
        if "..." in text:
            continue  # a width that only its formula tells
        said = eval(text, words)
        if there.is_port:
            assert Shape.cast(said.shape).width == Shape.cast(there.shape).width, name
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
