"""cocotb's Verilator runner made fast: only the top's ports public, hot code optimised.

The stock runner makes every signal public, which keeps Verilator from optimising nearly
anything. This one drops that flag; a generated control file names the ports instead.
"""

from collections.abc import Sequence

from cocotb_tools.runner import Verilator as StockVerilator

from sim.toolchain import Verilator

OPTIMISED = ("OPT_FAST=-O3 -march=native", "OPT_GLOBAL=-O2 -march=native", "OPT_SLOW=-O0")
HURRIED = ("OPT_FAST=-O0",)
"""Stands behind `OPTIMISED` on make's command line, so it counts."""


class FastVerilator(StockVerilator):
    """Build a model with public ports only.

    Parameters
    ----------
    tool
        The Verilator to run.
    make_args
        Added to make's command line: variables and goals.
    """

    def __init__(self, tool: Verilator, make_args: Sequence[str] = ()) -> None:
        super().__init__()
        self._tool = tool
        self._make_args = list(make_args)

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(self._tool.executable)

    def _set_env_build(self) -> None:
        super()._set_env_build()
        self.env.update(self._tool.environment)

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        return [verilate, [*make, *OPTIMISED, *self._make_args]]


def control_file(top: str, ports: Sequence[str], opaque: Sequence[str]) -> str:
    """Return a Verilator control file.

    Parameters
    ----------
    top
        Name of the top module.
    ports
        Its ports, the only names that stay visible from outside.
    opaque
        Modules that are compiled once and not inlined: large arrays build quickly that way.
    """
    lines = ["`verilator_config"]
    lines += [f'public_flat_rw -module "{top}" -var "{port}"' for port in ports]
    lines += [f'no_inline -module "{module}"' for module in opaque]
    return "\n".join(lines) + "\n"

