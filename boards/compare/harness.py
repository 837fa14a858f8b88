"""What stands around a design on iCE40, where nextpnr gives every port a pin.

Inputs come from one long shift register; outputs, and the shift register's end so that none of it
is dead, meet four by four in registered XORs. Every
register of the harness takes one logic cell, the XOR before it included, so its cells are known
and are subtracted. Paths from and to the harness count in the clock, unlike the ports of an ECP5
block out of context; that is the harder rule, and it holds for both sides of the comparison.
"""

from boards.compare.designs import Design

TOP = "harness"
CLOCK, RESET = "clk", "rst"
JOINS = 4
"""Inputs of a LUT."""


def wrap(design: Design) -> Design:
    """Return `design` within a harness of four pins."""
    inputs = [port for port in design.inputs if port[0] not in (CLOCK, RESET)]
    names = {name for name, _ in design.inputs}
    n_in = sum(width for _, width in inputs)
    n_out = _joined(design)
    wires = [f".{name}({name})" for name in (CLOCK, RESET) if name in names]
    wires += _slices("shift", inputs) + _slices("level0", list(design.outputs))
    lines = [
        f"module {TOP}(input {CLOCK}, input {RESET}, input serial, output result);",
        f"  reg [{max(n_in, 1) - 1}:0] shift;",
        f"  always @(posedge {CLOCK}) shift <= {{shift, serial}};",
        f"  wire [{n_out - 1}:0] level0;",
        f"  {design.top} dut({', '.join(wires)});",
        f"  assign level0[{n_out - 1}] = shift[{max(n_in, 1) - 1}];",
    ]
    level = 0
    for level, width in enumerate(_levels(n_out), 1):
        lines.append(f"  reg [{width - 1}:0] level{level};")
        before = _width(n_out, level - 1)
        for i in range(width):
            top = min(JOINS * (i + 1), before) - 1
            lines.append(
                f"  always @(posedge {CLOCK}) level{level}[{i}]"
                f" <= ^level{level - 1}[{top}:{JOINS * i}];",
            )
    lines += [f"  assign result = level{level}[0];", "endmodule"]
    return Design(
        top=TOP,
        text=f"{design.text}\n" + "\n".join(lines) + "\n",
        inputs=((CLOCK, 1), (RESET, 1), ("serial", 1)),
        outputs=(("result", 1),),
    )


def registers(design: Design) -> int:
    """Count the registers, and so the logic cells, of the harness around `design`."""
    n_in = sum(width for name, width in design.inputs if name not in (CLOCK, RESET))
    return max(n_in, 1) + sum(_levels(_joined(design)))


def _joined(design: Design) -> int:
    """Count what meets in the XORs: the outputs' bits and the end of the shift register."""
    return sum(width for _, width in design.outputs) + 1


def _slices(bus: str, ports: list[tuple[str, int]]) -> list[str]:
    """Connect `ports` to successive bits of `bus`."""
    found, at = [], 0
    for name, width in ports:
        found.append(f".{name}({bus}[{at + width - 1}:{at}])")
        at += width
    return found


def _levels(bits: int) -> list[int]:
    """Registers of every level of XORs, the last of which has one."""
    found: list[int] = []
    while not found or bits > 1:
        bits = -(-bits // JOINS)
        found.append(bits)
    return found


def _width(bits: int, level: int) -> int:
    return ([bits, *_levels(bits)])[level]
