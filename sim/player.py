"""The cocotb module that plays a job file on a `Bench` and writes the result file.

Environment: ``BAMBINO_JOB`` and ``BAMBINO_RESULT`` name the files.
"""

import os
import time
from pathlib import Path
from typing import Any

import cocotb

from sim.job import Played, Result, load_job, save_result
from sim.session import Misconduct, Session, Stop
from sim.streams import cycle_now


@cocotb.test()
async def play(dut: Any) -> None:
    """Play the job; an error stands in the result file, so the test itself passes."""
    job = load_job(Path(os.environ["BAMBINO_JOB"]))
    session = Session(
        dut, gap=job.gap, stall=job.stall, seed=job.seed, timeout=job.timeout, stop_at=job.stop_at,
    )
    started = time.monotonic()
    played: list[Played] = []
    error = ""
    try:
        await session.start()
        for phase in job.phases:
            played.append(await session.play(phase))
        await session.finish(job.idle)
    except Misconduct as failure:
        error = str(failure)
    except Stop:
        pass
    seconds = time.monotonic() - started
    result = Result(phases=played, cycles=cycle_now(), seconds=seconds, error=error)
    save_result(result, Path(os.environ["BAMBINO_RESULT"]))
