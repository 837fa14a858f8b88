"""A virtual board behind a pseudo-terminal: any program opens it as it opens a serial port."""

import ctypes
import os
import threading
import tty
from types import TracebackType
from typing import Self

from boards.board import Board
from boards.virtual.model import Model, library
from sim.build import Report, silent


class Terminal:
    """Switches a virtual board on, serves it in a thread, and switches it off.

    Parameters
    ----------
    board
        Which board.
    report
        Called with a line before and after its model is built, if it has to be.
    """

    def __init__(self, board: Board, report: Report = silent) -> None:
        self._model = Model(library(board, report), board.clock)
        self._stop = ctypes.c_int(0)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        """Switch it on."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)  # held open: a host that leaves does not end the terminal
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Switch it off."""
        self.close()

    def close(self) -> None:
        """Switch it off, unless it is; who has the terminal open finds it gone."""
        if self._stop.value:
            return
        self._stop.value = 1
        self._thread.join()
        os.close(self._slave)
        os.close(self._master)
        self._model.__exit__()

    @property
    def cycles(self) -> int:
        """Clock cycles since it was switched on."""
        return self._model.cycles

    def wait(self, seconds: float) -> bool:
        """Serve for so many seconds; whether it still does."""
        self._thread.join(seconds)
        return self._thread.is_alive()

    def _serve(self) -> None:
        self._model.serve(self._master, self._stop)
