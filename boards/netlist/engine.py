"""The engine `netlist`: the machine's netlist on a family of chips, simulated like its Verilog."""

from functools import cached_property

from boards.compare.job import Target
from boards.netlist.netlist import TOP, netlist
from hw.config import Config
from sim import bench
from sim.build import Design, Report, silent
from sim.engine import RtlEngine


class NetlistEngine(RtlEngine):
    """Predicts with the cells that the chip would hold: the same bits and cycles as `RtlEngine`.

    Parameters
    ----------
    config
        The machine.
    target
        Family of chips, ``"ecp5"`` or ``"ice40"``.
    verilog
        Text to simulate instead: the same netlist, altered.
    report
        Called with a line before and after a build.

    Raises
    ------
    NetlistError
        The machine is too large, or its cells have no models.
    """

    def __init__(
        self,
        config: Config,
        target: Target,
        *,
        verilog: str | None = None,
        report: Report = silent,
    ) -> None:
        text = netlist(config, target, report) if verilog is None else verilog
        super().__init__(config, verilog=text, report=report)
        self.target = target

    @property
    def name(self) -> str:
        """Name on the command line and in reports."""
        return "netlist"

    @cached_property
    def design(self) -> Design:
        """The netlist in its bench."""
        return bench.design(self.verilog, TOP, hurried=True)
