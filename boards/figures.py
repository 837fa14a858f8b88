"""The figures of README.md, each measured anew: what `bambino bench` prints.

Almost every figure comes from the command line in a process of its own, as a user would run it, so
that imports, caches and threads of one do not help another.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from golden import audio, clip
from hw.presets import PRESETS
from sim.engine import RtlEngine

Figures = dict[str, Any]
Report = Callable[[str], None]

ROOT = Path(__file__).parent.parent
CONVOLUTIONS = ("conv2", "conv3", "conv4")
HELP_RUNS = 5
HOURS, FILES = 4, 16
ONE_CORE = """
import os, sys
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
os.execv(sys.argv[1], sys.argv[1:])
"""
WATCH = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
found = {"seconds": time.perf_counter() - began, "peak_bytes": usage.ru_maxrss * 1024}
with open(sys.argv[1], "w") as out:
    json.dump(found, out)
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""
"""What starts the command: a new process counts the memory of the one that started it as its own,
and this one is small."""


class BenchError(RuntimeError):
    """A command that is measured failed; the message holds what it said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of the command line.

    Parameters
    ----------
    seconds
        From start to end of the process.
    peak_bytes
        Greatest resident memory of any of its processes.
    output
        What it printed.
    """

    seconds: float
    peak_bytes: int
    output: str

    def json(self) -> Any:
        """Parse the output."""
        return json.loads(self.output)


def run(*argv: str, one_core: bool = False) -> Run:
    """Run ``bambino argv`` and measure it.

    Parameters
    ----------
    argv
        Its arguments.
    one_core
        Whether it gets one core only.

    Raises
    ------
    BenchError
        It failed.
    """
    command = [sys.executable, str(ROOT / "bambino.py"), *argv]
    if one_core:
        command = [sys.executable, "-c", ONE_CORE, *command]
    return measured(f"bambino {' '.join(argv)}", command)


def measured(name: str, command: list[str], **environment: str) -> Run:
    """Run `command`, a Python with its arguments, and measure it.

    Raises
    ------
    BenchError
        It failed; the message calls it `name`.
    """
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told"
        done = subprocess.run(
            [sys.executable, "-c", WATCH, str(told), *command],
            stdout=subprocess.PIPE, text=True, env=os.environ | environment, check=False,
        )
        if done.returncode:
            raise BenchError(f"{name} must succeed: {done.stdout[-500:]}".rstrip(": "))
        found = json.loads(told.read_text(encoding="utf-8"))
    return Run(
        seconds=round(found["seconds"], 3), peak_bytes=found["peak_bytes"], output=done.stdout,
    )


def help_time() -> Figures:
    """Seconds of ``bambino --help``, the best of some."""
    return {"seconds": min(run("--help").seconds for _ in range(HELP_RUNS))}


def score_torch() -> Figures:
    """Seconds after imports and peak memory of scoring 5 s of audio in PyTorch."""
    done = run("score", "--engine", "torch", "--json")
    return {"seconds_after_imports": done.json()["seconds"], "peak_bytes": done.peak_bytes}


def adds() -> Figures:
    """Milliseconds of a window in each engine on one core, and how many times `adds` is faster."""
    command = [sys.executable, "-m", "golden.speed"]
    return dict(
        measured("golden.speed", command, PYTHONPATH=_path(), OPENBLAS_NUM_THREADS="1").json(),
    )


def _path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


def score_hours() -> Figures:
    """Seconds and greatest memory of a process for hours of audio in files, by number of jobs."""
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording"
        long_clip(recording, HOURS * 3600 / FILES)
        for i in range(FILES):
            (Path(folder) / f"{i:02}.flac").symlink_to(recording)
        score = ["score", folder, "--engine", "adds", "--jobs"]
        runs = {jobs: run(*score, str(jobs)) for jobs in (1, 2)}
    seconds = {jobs: each.seconds for jobs, each in runs.items()}
    memory = {
        "peak_bytes": runs[1].peak_bytes, "peak_bytes_of_5_s": run("score").peak_bytes,
    }
    faster = round(seconds[1] / seconds[2], 3)
    times = {"seconds": seconds, "times_faster_with_2_jobs": faster}
    return {"hours_of_audio": HOURS, **times, **memory}


def long_clip(path: Path, seconds: float) -> None:
    """Write the demo clip again and again, `seconds` long, as FLAC."""
    samples = audio.load(clip.DEMO)
    whole = np.resize(samples, round(seconds * audio.SAMPLE_RATE))
    audio.save(path, whole)


def utilisation() -> Figures:
    """Cycles and utilisation of the shipped network on `medium`."""
    found = run("estimate", "--preset", "medium", "--json").json()
    middle = [layer for layer in found["layers"] if layer["name"] in CONVOLUTIONS]
    work = sum(layer["accumulates"] for layer in middle)
    room = found["lanes"] * found["columns"] * sum(layer["cycles"] for layer in middle)
    return {
        "cycles": found["cycles"],
        "load_cycles": found["load_cycles"],
        "whole_clip": found["utilisation"],
        "conv2_to_conv4": work / room,
        "layers": {layer["name"]: layer["utilisation"] for layer in found["layers"]},
    }


def generate() -> Figures:
    """Seconds of ``bambino generate --preset medium`` and bytes of its Verilog."""
    with tempfile.TemporaryDirectory() as out:
        done = run("generate", "--preset", "medium", "--out", out)
        size = (Path(out) / "accelerator.v").stat().st_size
    return {"seconds": done.seconds, "verilog_bytes": size}


def builds() -> Figures:
    """Seconds that Verilator and the compiler take, nothing cached: `medium`, and 64 x 64."""
    medium = PRESETS["medium"]
    machines = {"medium": medium, "64x64": replace(medium, lanes=64, columns=64)}
    found = {}
    for name, config in machines.items():
        with tempfile.TemporaryDirectory() as cache, patch.dict(os.environ, BAMBINO_CACHE=cache):
            found[f"{name}_seconds"] = RtlEngine(config).model.seconds
    return found


def simulation() -> Figures:
    """Seconds of simulating the demo clip on `medium` on one core, the model built before."""
    score = ("score", "--engine", "rtl", "--json")
    run(*score)
    done = run(*score, one_core=True).json()
    return {"seconds": done["seconds"], "cycles": done["cycles"]}


def estimates() -> Figures:
    """Cycles as predicted and as simulated on every preset."""
    found: Figures = {}
    for preset in PRESETS:
        if not run("estimate", "--preset", preset, "--json").json()["fits"]:
            found[preset] = "the network does not fit"
            continue
        done = run("verify", "--preset", preset, "--json").json()
        found[preset] = {name: done[name] for name in ("cycles", "estimated_cycles", "identical")}
    return found


PARTS: dict[str, Callable[[], Figures]] = {
    "help": help_time,
    "score_torch": score_torch,
    "adds": adds,
    "score_hours": score_hours,
    "utilisation": utilisation,
    "generate": generate,
    "builds": builds,
    "simulation": simulation,
    "estimates": estimates,
}


def measure(report: Report) -> Figures:
    """Measure everything, one after the other; `report` is told what comes next.

    What cannot be measured is reported and stands as None, and so does all that an interruption
    leaves out: minutes of work are not thrown away.
    """
    figures: Figures = dict.fromkeys(PARTS)
    for name, part in PARTS.items():
        report(f"measuring {name}")
        try:
            figures[name] = part()
        except BenchError as error:
            report(str(error))
        except KeyboardInterrupt:
            report("interrupted; what was measured before follows")
            break
    return figures
