"""The multiply-accumulate in a DSP of ECP5 with all its registers."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value, signed

from hw.cells.mac import MacCell
from hw.vendor import ecp5


class MacEcp5Cell(MacCell):
    """One multiply-accumulate on ECP5, as `hw.cells.mac.MacCell`: one MULT18X18D and a chain.

    yosys leaves the registers of the DSP alone, without which it is half as fast. The weight has a
    register before the DSP: timing is known only where both inputs are registered alike, and the
    activation's comes from the next column's.
    """

    def product(self, m: Module) -> Signal:
        inputs = {"A": Cat(self.acts, Const(0, 10)), "B": self.weight(m), "C": Const(0, 18)}
        output = Signal(signed(16))
        ports: dict[str, object] = {}
        for register in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
            ports[f"p_REG_{register}_CLK"] = "CLK0"
            ports[f"p_REG_{register}_CE"] = "CE0"
            ports[f"p_REG_{register}_RST"] = "RST0"
        for i in range(18):
            ports.update({f"i_{p}{i}": v[min(i, len(v) - 1)] for p, v in inputs.items()})
        ports.update({f"o_P{i}": bit for i, bit in enumerate(output)})
        m.submodules.multiplier = Instance(
            "MULT18X18D", **ports, p_CLK0_DIV="ENABLED", p_GSR="DISABLED", p_RESETMODE="SYNC",
            p_SOURCEB_MODE="B_SHIFT", p_MULT_BYPASS="DISABLED",
            i_CLK0=ClockSignal(), i_CE0=Const(1), i_RST0=Const(0),
            i_SIGNEDA=Const(0), i_SIGNEDB=Const(1), i_SOURCEA=Const(0), i_SOURCEB=Const(0),
        )
        product = Signal(signed(16), name="s4_product", reset_less=True)
        m.d.sync += product.eq(output)
        return product

    def add(self, m: Module, name: str, a: Value, b: Value, width: int) -> Value:
        return ecp5.plain_add(m, name, a=a, b=b, width=width)
