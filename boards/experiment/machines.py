"""What the generated machines take for a network: memory, and multipliers if there were any."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from amaranth.back import rtlil

from golden.network import Network
from hw.accelerator import Accelerator
from hw.config import Config
from hw.emit import Emission
from hw.estimate import estimate
from hw.fit import FitError

PRODUCT = re.compile(r"^  cell \$mul .*?^  end$", re.MULTILINE | re.DOTALL)
CONSTANT = re.compile(r"connect \\[AB] (\d+'[01]+|\{ *\})$", re.MULTILINE)
"""A factor that no wire brings: Amaranth writes ``word_select`` as an index times a width."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Memory of one machine.

    Parameters
    ----------
    name
        Of the preset.
    strip
        Frames that a layer does before the next one runs.
    taken, there
        Bits that the network takes of each memory, and that the memory has.
    """

    name: str
    strip: int
    taken: Mapping[str, int]
    there: Mapping[str, int]


def machines(network: Network, presets: Mapping[str, Config]) -> list[Machine]:
    """Return the machines of `presets` that hold `network`."""
    found = []
    for name, config in presets.items():
        try:
            predicted = estimate(network, config)
        except FitError:
            continue
        if predicted.fits:
            found.append(
                Machine(
                    name=name,
                    strip=config.strip,
                    taken=predicted.memory_bits,
                    there=config.memory_bits,
                ),
            )
    return found


@cache
def multipliers(config: Config) -> int:
    """Count the products of two signals in the description of a machine, as Amaranth writes it."""
    emission = Emission()
    top = rtlil.convert(
        Accelerator(config), name="accelerator", platform=emission, emit_src=False,
    )
    texts = (top, *emission.modules.values())
    return sum(CONSTANT.search(cell) is None for text in texts for cell in PRODUCT.findall(text))
