"""The PLL of an ECP5: the board's clock out of its oscillator."""

from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

LEAST_VCO, MOST_VCO = 400_000_000, 800_000_000
LEAST_PFD, MOST_PFD = 3_125_000, 400_000_000
MOST_DIVIDER = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class Dividers:
    """How a PLL is set: clock = oscillator x feedback / reference.

    Parameters
    ----------
    reference, feedback, output
        What the oscillator, the clock and the PLL's own oscillator are divided by.
    """

    reference: int
    feedback: int
    output: int


def dividers(oscillator: int, clock: int) -> Dividers:
    """Return the dividers that make `clock` of `oscillator` exactly, Hz.

    The least reference divider is taken, and its own oscillator in the middle of its range.

    Raises
    ------
    ValueError
        There are none.
    """
    middle = (LEAST_VCO + MOST_VCO) / 2
    for reference in range(1, MOST_DIVIDER + 1):
        feedback, rest = divmod(clock * reference, oscillator)
        phase = oscillator / reference
        if rest or not 1 <= feedback <= MOST_DIVIDER or not LEAST_PFD <= phase <= MOST_PFD:
            continue
        outputs = [n for n in range(1, MOST_DIVIDER + 1) if LEAST_VCO <= clock * n <= MOST_VCO]
        if outputs:
            output = min(outputs, key=lambda n: abs(clock * n - middle))
            return Dividers(reference=reference, feedback=feedback, output=output)
    raise ValueError(f"clock must be one that a PLL makes of {oscillator} Hz, not {clock} Hz")


class Ecp5Pll(wiring.Component):
    """An `EHXPLLL` with one output, its feedback from that output.

    **Timing**: `locked` rises after at most 15 ms, in no clock's step.

    Parameters
    ----------
    oscillator, clock
        Hz.

    Members
    -------
    osc : In(1)
        The oscillator.
    clk : Out(1)
        The clock.
    locked : Out(1)
        The clock is right.
    """

    osc: Signal
    clk: Signal
    locked: Signal

    def __init__(self, *, oscillator: int, clock: int) -> None:
        self.dividers = dividers(oscillator, clock)
        self.mhz = oscillator / 1e6, clock / 1e6
        super().__init__({"osc": In(1), "clk": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        chosen = self.dividers
        zeros = ("RST", "STDBY", "PHASESEL0", "PHASESEL1", "PHASEDIR", "PHASESTEP", "PLLWAKESYNC")
        m.submodules.ehxplll = Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self.mhz[0]:g}",
            a_FREQUENCY_PIN_CLKOP=f"{self.mhz[1]:g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_CLKI_DIV=chosen.reference,
            p_CLKFB_DIV=chosen.feedback,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=chosen.output,
            p_CLKOP_CPHASE=chosen.output // 2 - 1 if chosen.output > 1 else 0,
            p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP",
            i_CLKI=self.osc,
            i_CLKFB=self.clk,
            i_PHASELOADREG=Const(1, 1),
            i_ENCLKOP=Const(0, 1),
            **{f"i_{name}": Const(0, 1) for name in zeros},
            o_CLKOP=self.clk,
            o_LOCK=self.locked,
        )
        return m
