"""The cocotb module that plays phases as they come, for whoever is at the other end of a socket.

Environment: ``BAMBINO_SOCKET`` names it. The far end sends a `sim.job.Phase`, or a number of cycles
that must bring nothing, and gets a `sim.job.Played`, or the text of an error, which ends it all.
Simulated time stands still while nothing is sent; the end of the stream ends the simulation.
"""

import os
import pickle
import socket
from contextlib import suppress
from typing import Any

import cocotb
import numpy as np

from sim.job import Phase, Played
from sim.session import Misconduct, Session


@cocotb.test()
async def play(dut: Any) -> None:
    """Play what comes; an error goes to the far end, so the test itself passes."""
    with socket.socket(socket.AF_UNIX) as line, suppress(EOFError, OSError):  # nobody is there
        line.connect(os.environ["BAMBINO_SOCKET"])
        with line.makefile("rwb") as stream:
            session = Session(dut, timeout=pickle.load(stream))
            await session.start()
            while True:
                wanted: Phase | int = pickle.load(stream)
                answer: Played | str
                try:
                    answer = await _done(session, wanted)
                except Misconduct as failure:
                    answer = str(failure)
                pickle.dump(answer, stream)
                stream.flush()
                if isinstance(answer, str):
                    return


async def _done(session: Session, wanted: Phase | int) -> Played:
    if isinstance(wanted, Phase):
        return await session.play(wanted)
    await session.finish(wanted)
    none = np.empty(0, np.int64)
    return Played(reply_cycles=none, sent_cycles=none)
