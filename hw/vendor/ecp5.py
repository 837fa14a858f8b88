"""Carry chains of ECP5: two bits a CCU2C, and the logic before an adder inside the adder.

A half of a CCU2C has four inputs and a carry in, and is told by 16 bits, `INIT`::

    propagate = INIT[A + 2 B + 4 C + 8 D]        generate = INIT[A + 2 B]
    sum       = propagate ^ carry in             carry out = propagate ? carry in : generate

So it adds x + y with propagate = x ^ y, where generate must be x (or y, then equal) whenever
x = y. The generate sees A and B alone and is read where C = D = 0. Hence two rules, of which an
INIT must keep one:

- x = A and y = f(B, C, D), with f = 0 for C = D = 0: the generate is A;
- x = A & B and y = C & D: the generate is A & B.

**The first half** of a chain starts it: its propagate is 0, whatever the carry in, and its generate
the first carry. Left to the tools, a carry in (the constant 0 too, for on the chip nothing holds
it at 0) takes both halves of a CCU2C of its own. The netlist must say that nothing drives the
carry in of such a start, which yosys turns into 0; `open_ends` puts it right.

**The last carry** stays open in the source; yosys gives it a net with no reader, for which nextpnr
spends one more CCU2C. `open_ends` takes these nets away too, from any design.
"""

from collections import Counter
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal, Value, ValueLike

GATED = 0x6A6A
"""A + (B & C), whatever D."""
DOUBLING = 0x665A
"""A + (D ? B : C)."""
TWO_ROWS = 0x7888
"""(A & B) + (C & D)."""
XOR = 0x966A
"""A + (B ^ C), where D must be 1."""
ADD_OR_TAKE = 0x66FA
"""D ? A + B : C, where A must be 0 without D, and nothing comes in below."""


class Start(NamedTuple):
    """The first carry: an `init` of A and B, bits 3 to 0."""

    a: ValueLike = 1
    b: ValueLike = 1
    init: int = 0


def add(
    m: Module, name: str, *, a: ValueLike, b: ValueLike, c: ValueLike, d: ValueLike, init: int,
    width: int, start: Start | None = None,
) -> Value:
    """Return the `width` sum bits of a chain.

    Parameters
    ----------
    m
        The module that gets the chain.
    name
        Beginning of its cells' names.
    a, b, c, d
        Inputs of the halves, lowest bit first; a shorter one is extended by its sign, or by zeros.
    init
        What each half adds; see above for the rules.
    width
        Bits of the sum.
    start
        The first carry; none is 0.
    """
    first = Start() if start is None else start
    if not 0 <= first.init <= 15:
        raise ValueError(f"first.init must be of A and B alone, 4 bits, not {first.init:#x}")
    rows = [_extended(value, width) for value in (a, b, c, d)]
    total = Signal(width, name=f"{name}_sum")
    halves: list[tuple[int, list[ValueLike], Value | None]] = [
        # C and D choose the upper bits of the INIT, which are 0: it propagates nothing.
        (first.init, [first.a, first.b, 1, 1], None),
        *((init, [row[i] for row in rows], total[i]) for i in range(width)),
    ]
    if len(halves) % 2:
        halves.append((0, [0] * 4, None))
    carry: Value | None = None
    for i in range(0, len(halves), 2):
        ports: dict[str, ValueLike] = {}
        for k, (bits, inputs, sum_bit) in enumerate(halves[i : i + 2]):
            ports[f"p_INIT{k}"] = Const(bits, 16)
            ports[f"p_INJECT1_{k}"] = "NO"
            for port, value in zip("ABCD", inputs, strict=True):
                ports[f"i_{port}{k}"] = Value.cast(value)[0]
            if sum_bit is not None:
                ports[f"o_S{k}"] = sum_bit
        if carry is not None:
            ports["i_CIN"] = carry
        if i + 2 < len(halves):
            carry = Signal(name=f"{name}_carry{i}")
            ports["o_COUT"] = carry
        m.submodules[f"{name}{i // 2}"] = Instance("CCU2C", **ports)
    return total.as_signed()


def plain_add(m: Module, name: str, *, a: Value, b: Value, width: int) -> Value:
    """Return a + b; of an even width the lowest bit stands beside the chain, which fills it."""
    one = Const(1).replicate(width)
    if width % 2 or width < 2:
        return add(m, name, a=a, b=b, c=one, d=one, init=GATED, width=width)
    high = add(
        m, name, a=_extended(a, width)[1:], b=_extended(b, width)[1:], c=one, d=one, init=GATED,
        width=width - 1, start=Start(a[0], b[0], 0x8),
    )
    return Cat(a[0] ^ b[0], high).as_signed()


def gated_add(m: Module, name: str, *, a: Value, b: Value, gate: Value, width: int) -> Value:
    """Return a + (gate ? b : 0)."""
    gates = gate.replicate(width)
    return add(m, name, a=a, b=b, c=gates, d=Const(1).replicate(width), init=GATED, width=width)


def doubling_add(m: Module, name: str, *, a: Value, x: Value, double: Value, width: int) -> Value:
    """Return a + (double ? 2 x : x)."""
    return add(
        m, name, a=a, b=Cat(Const(0, 1), x).as_signed(), c=x, d=double.replicate(width),
        init=DOUBLING, width=width,
    )


def add_or_subtract(m: Module, name: str, *, a: Value, b: Value, minus: Value, width: int) -> Value:
    """Return minus ? a - b : a + b."""
    return add(
        m, name, a=a, b=b, c=minus.replicate(width), d=Const(1).replicate(width), init=XOR,
        width=width, start=Start(a=minus, init=0xA),
    )


def add_or_take(
    m: Module, name: str, *, a: Value, b: Value, c: Value, adds: Value, width: int,
) -> Value:
    """Return adds ? a + b : c; without `adds`, `a` must be 0.

    Of an even width the lowest bit stands beside the chain, which fills it.
    """
    inputs = {"a": a, "b": b, "c": c, "d": adds.replicate(width)}
    if width % 2 or width < 2:
        return add(m, name, **inputs, init=ADD_OR_TAKE, width=width)
    high = add(
        m, name, **{port: _extended(value, width)[1:] for port, value in inputs.items()},
        init=ADD_OR_TAKE, width=width - 1, start=Start(a[0], b[0], 0x8),
    )
    return Cat(Mux(adds, a[0] ^ b[0], c[0]), high).as_signed()


def two_rows(m: Module, name: str, *, x: Value, gates: Value, width: int) -> Value:
    """Return (gates[0] ? x : 0) + (gates[1] ? 2 x : 0)."""
    low = x[0] & gates[0]
    high = add(
        m, name, a=x[1:].as_signed(), b=gates[0].replicate(width), c=x,
        d=gates[1].replicate(width), init=TWO_ROWS, width=width - 1,
    )
    return Cat(low, high).as_signed()


def open_ends(netlist: dict[str, Any]) -> int:
    """Take away, in a netlist as yosys writes it in JSON, the ends of chains that nothing uses.

    These are carries out without a reader, and the 0 into a half that ignores its carry in. The
    function stays the same, and nextpnr adds no CCU2C for them. Return how many there were.
    """
    ends = 0
    for module in netlist["modules"].values():
        cells = module["cells"].values()
        uses = Counter(bit for port in module["ports"].values() for bit in port["bits"])
        for cell in cells:
            uses.update(bit for bits in cell["connections"].values() for bit in bits)
        for cell in cells:
            if cell["type"] != "CCU2C":
                continue
            ports = cell["connections"]
            starts = (
                ports.get("CIN") == ["0"]
                and ports["C0"] == ports["D0"] == ["1"]
                and cell["parameters"]["INIT0"].startswith("0000")  # bits 15 to 12
                and all(uses[bit] == 1 for bit in ports.get("S0", []))
            )
            # A bit that is a constant is written as text.
            unread = any(isinstance(b, int) and uses[b] == 1 for b in ports.get("COUT", []))
            for port, needless in (("CIN", starts), ("COUT", unread)):
                if needless:
                    ports[port] = ["x"]
                    ends += 1
    return ends


def _extended(value: ValueLike, width: int) -> Value:
    """Return `width` bits, signed or unsigned as `value` is."""
    wide = Value.cast(value)
    shape = wide.shape()
    if width <= shape.width:
        return wide[:width]
    top = wide[-1] if shape.signed else Const(0, 1)
    return Cat(wide, top.replicate(width - shape.width))
