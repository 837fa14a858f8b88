"""The figures of README.md, each measured anew: what `bambino bench` prints.

Almost every figure comes from the command line in a process of its own, as a user would run it, so
that imports, caches and threads of one do not help another.
"""

import json
import os
import sys
import tempfile
import time
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
PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


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
        Greatest resident memory.
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
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        redirect = [(os.POSIX_SPAWN_DUP2, out.fileno(), 1)]
        variables = os.environ | environment
        process = os.posix_spawn(sys.executable, command, variables, file_actions=redirect)
        _, status, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - began
        out.seek(0)
        text = out.read().decode()
    if status:
        raise BenchError(f"{name} must succeed: {text[-500:]}".rstrip(": "))
    return Run(seconds=round(seconds, 3), peak_bytes=usage.ru_maxrss * 1024, output=text)


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
        seconds = {jobs: run(*score, str(jobs)).seconds for jobs in (1, 2)}
        memory = {"peak_bytes": peak(*score, "1"), "peak_bytes_of_5_s": peak("score")}
    faster = round(seconds[1] / seconds[2], 3)
    times = {"seconds": seconds, "times_faster_with_2_jobs": faster}
    return {"hours_of_audio": HOURS, **times, **memory}


def peak(*argv: str) -> int:
    """Greatest resident memory of any process of ``bambino argv``, bytes.

    That of `run` counts this process as well, as large as it was when it started the other.
    """
    command = [sys.executable, "-c", PEAK, sys.executable, str(ROOT / "bambino.py"), *argv]
    return 1024 * int(measured(f"bambino {' '.join(argv)}", command).output.splitlines()[-1])


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
