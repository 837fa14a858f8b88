"""Every component of `hw` documents its ports, and those only."""

import ast
import importlib
import inspect
import re
import warnings
from pathlib import Path

import pytest
from amaranth.hdl import Fragment
from amaranth.lib.wiring import Component

from hw.accelerator import Accelerator
from hw.config import PRESETS

HW = Path(__file__).parent.parent / "hw"


def component_classes() -> list[type[Component]]:
    """Every subclass of `Component` that a file of `hw` defines."""
    found = []
    for path in sorted(HW.rglob("*.py")):
        if path.name == "__init__.py":
            continue
        name = ".".join(path.relative_to(HW.parent).with_suffix("").parts)
        module = importlib.import_module(name)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            thing = getattr(module, node.name) if isinstance(node, ast.ClassDef) else None
            if inspect.isclass(thing) and issubclass(thing, Component):
                found.append(thing)
    return found


def documented(cls: type) -> list[str]:
    """Names under the docstring's heading Members, in order."""
    _, heading, section = (inspect.getdoc(cls) or "").partition("\nMembers\n-------\n")
    if not heading:
        return []
    section = re.split(r"\n\S.*\n-{3,}\n", section)[0]
    entries = re.findall(r"^(\w[\w, ]*?) : ", section, re.MULTILINE)
    return [name for entry in entries for name in entry.split(", ")]


@pytest.fixture(scope="module")
def ports() -> dict[type, list[str]]:
    """Collect the ports of every component that the presets' accelerators are made of."""
    seen: dict[type, list[str]] = {}
    initialise = Component.__init__

    def record(self: Component, *args: object, **settings: object) -> None:
        initialise(self, *args, **settings)
        seen[type(self)] = list(self.signature.members)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of instances that are elaborated and thrown away
        patch.setattr(Component, "__init__", record)
        for config in (PRESETS["tiny"], PRESETS["small"]):
            Fragment.get(Accelerator(config), platform=None)
    return seen


@pytest.mark.parametrize("cls", component_classes(), ids=lambda c: c.__name__)
def test_members_are_the_ports(cls: type[Component], ports: dict[type, list[str]]) -> None:
    assert cls in ports, f"no accelerator holds a {cls.__name__}"
    assert documented(cls) == ports[cls]


def test_a_port_that_is_not_documented_is_seen() -> None:
    class Sparse:
        """Say little.

        Members
        -------
        a, b : In(1)
            Two bits.
        c : Out(3) of many
            Words: not a port.

        References
        ----------
        d : nowhere
        """

    assert documented(Sparse) == ["a", "b", "c"]
    assert documented(int) == []
