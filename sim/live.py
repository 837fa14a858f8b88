"""A conversation with a simulated machine: what to send next may depend on what came."""

import pickle
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from sim.build import Model
from sim.job import Phase, Played
from sim.simulation import SimulationError, run_module

BEGIN = 60.0
"""Seconds that a simulation may take to begin."""

END = 30.0
"""Seconds that it may take to end; if it is longer about it, nobody waits."""


class Talk:
    """The near end of a running simulation.

    Parameters
    ----------
    stream
        To the far end, `sim.live_player`.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def play(self, phase: Phase) -> Played:
        """Play one phase; what it leaves in the design's memories, the next one finds there.

        Raises
        ------
        SimulationError
            What the design did was against the phase or the rules of its streams.
        """
        return self._ask(phase)

    def idle(self, cycles: int) -> None:
        """Let so many cycles go by, which must bring nothing; raises likewise."""
        self._ask(cycles)

    def _ask(self, wanted: Phase | int) -> Played:
        try:
            pickle.dump(wanted, self._stream)
            self._stream.flush()
            answer: Played | str = pickle.load(self._stream)
        except (EOFError, OSError) as error:
            raise SimulationError("the simulation must go on, not end") from error
        if isinstance(answer, str):
            raise SimulationError(answer)
        return answer


@contextmanager
def talking(model: Model, timeout: int) -> Iterator[Talk]:
    """Run `model` until the end of the block.

    Parameters
    ----------
    model
        A built `Bench`.
    timeout
        Cycles that a phase may take.

    Raises
    ------
    SimulationError
        The simulation did not begin.
    """
    folder = Path(tempfile.mkdtemp(prefix="simulation."))
    simulation = _Simulation(model, folder)
    try:
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.bind(str(simulation.socket))
            waiting.listen(1)
            waiting.settimeout(BEGIN)
            simulation.start()
            try:
                line, _ = waiting.accept()
            except TimeoutError as error:
                raise SimulationError(f"{model.top} must begin to run") from error
        if simulation.error is not None:
            line.close()
            raise SimulationError(f"{model.top} must begin to run, not end: {simulation.error}")
        line.settimeout(None)
        stream = cast(BinaryIO, line.makefile("rwb"))
        try:
            pickle.dump(timeout, stream)
            yield Talk(stream)
        finally:
            with suppress(OSError):  # what is left to be written, if nobody reads any more
                stream.close()
            line.close()
    finally:
        if simulation.is_alive():
            simulation.join(END)
        shutil.rmtree(folder, ignore_errors=True)


class _Simulation(threading.Thread):
    """Runs a model in a process that does not hear Ctrl-C: it ends with its socket."""

    def __init__(self, model: Model, folder: Path) -> None:
        super().__init__(daemon=True)
        self._model, self._folder = model, folder
        self.socket = folder / "socket"
        self.error: Exception | None = None

    def run(self) -> None:
        # A blocked signal is inherited by the process, and this thread hears none anyway.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            run_module(
                self._model, "sim.live_player", self._folder / "run",
                environment={"BAMBINO_SOCKET": str(self.socket)},
            )
        except Exception as error:  # whatever it is, the other end of the socket must hear of it
            self.error = error
            self._wake()

    def _wake(self) -> None:
        """Connect in place of a simulation that did not begin."""
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(str(self.socket))
            except OSError:
                return  # nobody waits any more
