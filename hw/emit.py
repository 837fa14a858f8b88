"""Verilog out of Amaranth, with every shared component written once.

Amaranth writes a module for every instance. A component that its parent passes through `once`
becomes an instance of one module instead: the array's columns, for example, are all alike, and
the tools downstream then take hardly longer for a larger array.
"""

import re

from amaranth.back import rtlil, verilog
from amaranth.hdl import ClockSignal, Elaboratable, Instance, ResetSignal, Value
from amaranth.lib import wiring


class Emission:
    """Stands where a platform stands while Verilog is written; holds the shared modules.

    Parameters
    ----------
    target
        Chip family whose primitives the parts may use (`hw.variants`); without one, none.
    """

    def __init__(self, target: str | None = None) -> None:
        self.target = target
        self.modules: dict[str, str] = {}

    def instance(self, component: wiring.Component, name: str) -> Instance:
        """Return an instance of the module `name`, written from `component` the first time."""
        if name not in self.modules:
            self.modules[name] = ""  # a component that holds itself would not end
            self.modules[name] = rtlil.convert(component, name=name, platform=self, emit_src=False)
        ports: dict[str, Value] = {}
        for path, member, value in component.signature.flatten(component):
            prefix = "i" if member.flow == wiring.In else "o"
            ports[f"{prefix}_{'__'.join(map(str, path))}"] = Value.cast(value)
        for port, signal in (("clk", ClockSignal()), ("rst", ResetSignal())):
            if f" \\{port}\n" in self.modules[name].partition("cell ")[0]:
                ports[f"i_{port}"] = signal
        return Instance(name, **ports)


def once(component: wiring.Component, name: str, platform: object) -> Elaboratable:
    """Return what the parent adds as a submodule: an instance while emitting, else the component.

    Parameters
    ----------
    component
        The child; the parent wires its ports in either case.
    name
        Name of the module; components of one name must be alike.
    platform
        What `elaborate` was given.
    """
    if not isinstance(platform, Emission):
        return component
    component._MustUse__used = True  # else Amaranth warns that it is never elaborated
    return platform.instance(component, name)


def to_verilog(
    component: wiring.Component,
    name: str = "accelerator",
    *,
    target: str | None = None,
    zeroed: bool = False,
) -> str:
    """Return the Verilog of `component` and of all below it, as the module `name`.

    The same component gives the same text, byte for byte.

    Parameters
    ----------
    component
        What to write.
    name
        Name of its module.
    target
        ``"ecp5"`` or ``"ice40"``: use its primitives; without one every simulator can run it.
    zeroed
        Write out that memories start with zeros, for a simulator that knows of unknown bits.
    """
    emission = Emission(target)
    top = rtlil.convert(component, name=name, platform=emission, emit_src=False)
    text = "\n".join([*emission.modules.values(), top])
    if not zeroed:  # no machine relies on them, and they would be most of the text
        text = re.sub(r"^  cell \$meminit_v2 .*?^  end\n", "", text, flags=re.MULTILINE | re.DOTALL)
    # Amaranth offers the conversion of one design only; this is its own step from RTLIL on.
    return str(verilog._convert_rtlil_text(text, strip_internal_attrs=True))
