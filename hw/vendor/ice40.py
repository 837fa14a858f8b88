"""Carry chains of iCE40: a logic cell a bit, with the gate inside the adder's look-up table."""

from amaranth.hdl import Const, Instance, Module, Signal, Value

GATED = sum(
    (i1 ^ (i0 & (i2 ^ i3))) << (i0 + 2 * i1 + 4 * i2 + 8 * i3)
    for i0 in (0, 1) for i1 in (0, 1) for i2 in (0, 1) for i3 in (0, 1)
)
"""I0 ? I1 ^ I2 ^ I3 : I1."""


def gated_add(m: Module, name: str, *, a: Value, b: Value, gate: Value, width: int) -> Value:
    """Return a + (gate ? b : 0), a logic cell a bit.

    The carry, SB_CARRY of a and b, takes no notice of the gate: where that is 0, every bit of `a`
    passes by, and the carry does not matter. Sharing a logic cell asks for a and b on the inputs
    I1 and I2 of the SB_LUT4 and the carry on I3.

    Parameters
    ----------
    m
        The module that gets the chain.
    name
        Beginning of its cells' names.
    a, b
        Signed numbers.
    gate
        Whether b is added, 1 bit.
    width
        Bits of the sum.
    """
    total = Signal(width, name=f"{name}_sum")
    carry: Value = Const(0, 1)
    for i in range(width):
        bits = {"i_I1": a[min(i, len(a) - 1)], "i_I2": b[min(i, len(b) - 1)]}
        m.submodules[f"{name}{i}"] = Instance(
            "SB_LUT4", p_LUT_INIT=Const(GATED, 16), i_I0=gate, **bits, i_I3=carry, o_O=total[i],
        )
        if i + 1 < width:
            out = Signal(name=f"{name}_carry{i}")
            m.submodules[f"{name}_carry{i}"] = Instance(
                "SB_CARRY", i_I0=bits["i_I1"], i_I1=bits["i_I2"], i_CI=carry, o_CO=out,
            )
            carry = out
    return total.as_signed()
