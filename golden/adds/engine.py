"""The engine `adds`: a network's integers with additions alone, on an ordinary processor."""

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden.adds.build import SLOW, build
from golden.adds.native import ISAS, Native, library
from golden.adds.plain import Plain
from golden.adds.plan import plan
from golden.network import Network
from golden.trace import Trace

NUMPY = "numpy"
"""The kind that needs no compiler."""


class AddsEngine:
    """Evaluates a network by adding looked-up subset sums; the same bits on every processor.

    Parameters
    ----------
    report
        Is told in one line what makes it slow, if anything does.
    kind
        ``numpy``, ``portable``, ``avx2`` or ``avx512``; None is the best that is to be had.
    kernel
        The compiled kernel, where another process has found it; else it is built or found here.

    Raises
    ------
    ValueError
        There is no such kind, the processor lacks it, or it was not compiled.
    """

    name = "adds"

    def __init__(
        self,
        *,
        report: Callable[[str], None] = lambda _: None,
        kind: str | None = None,
        kernel: Path | None = None,
    ) -> None:
        self.kernel: Path | None = None
        self._loaded: ctypes.CDLL | None = None
        if kind != NUMPY:
            self.kernel = build(report) if kernel is None else kernel
            self._loaded = _load(self.kernel, report)
        kinds: tuple[str, ...] = (NUMPY,)
        if self._loaded is not None:
            kinds += ISAS[: self._loaded.adds_best() + 1]
        self.kind = kinds[-1] if kind is None else kind
        if self.kind not in kinds:
            raise ValueError(f"kind must be one of {', '.join(kinds)} here, not {kind!r}")
        self._network: Network | None = None
        self._run: Native | Plain | None = None

    def predict(
        self, network: Network, codes: NDArray[np.uint8], *, maps: bool = True,
    ) -> Trace:
        """Evaluate `network` on one clip.

        Parameters
        ----------
        network
            The network; laid out once for all calls in a row that take it.
        codes
            uint8 ``[channel, band, frame]`` of the network's input shape.
        maps
            Whether the trace holds every layer's output, too.

        Raises
        ------
        TypeError, ValueError
            The codes are not what the network takes.
        """
        network.check_codes(codes)
        if self._run is None or network is not self._network:
            plans = plan(network)
            self._network = network
            self._run = (
                Plain(plans)
                if self._loaded is None
                else Native(self._loaded, ISAS.index(self.kind), plans)
            )
        raw = self._run.run(codes)
        return Trace(outputs=self._run.maps() if maps else {}, raw=raw)


def _load(kernel: Path | None, report: Callable[[str], None]) -> ctypes.CDLL | None:
    """Load the kernel, or say why it does not load."""
    if kernel is None:
        return None
    try:
        return library(kernel)
    except OSError as error:
        report(f"adds: the kernel does not load ({error}); {SLOW}")
        return None
