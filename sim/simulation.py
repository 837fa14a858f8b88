"""Run a built model: a job by the player, or any cocotb test module."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from sim.build import Model
from sim.job import Job, Result, load_result, save_job


class SimulationError(RuntimeError):
    """A simulation failed; the message says how."""


def _failures(results: Path) -> list[str]:
    """Return what failed, test by test, as cocotb's results file says."""
    failed = []
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        for bad in [*case.findall("failure"), *case.findall("error")]:
            detail = bad.get("message") or bad.get("error_msg") or (bad.text or "").strip()
            failed.append(f"{case.get('name')}: {detail}")
    return failed


def run_module(
    model: Model,
    module: str,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    plusargs: tuple[str, ...] = (),
    testcase: str | None = None,
) -> None:
    """Run the cocotb tests of `module` on `model`; log and results stay in `folder`.

    Parameters
    ----------
    model
        A built model.
    module
        Name of the Python module that holds the tests.
    folder
        Where the simulation runs.
    environment
        Variables for the tests.
    plusargs
        Of the simulator, each with its plus sign.
    testcase
        The one test to run, or None for all.

    Raises
    ------
    SimulationError
        A test failed, or the simulation ended without results.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log, results = folder / "simulation.log", folder / "results.xml"
    variables = {"COCOTB_REWRITE_ASSERTION_FILES": "", "OMP_NUM_THREADS": "1"}
    status = ""
    try:
        model.runner().test(
            test_module=module,
            hdl_toplevel=model.top,
            hdl_toplevel_lang="verilog",
            build_dir=model.folder,
            test_dir=folder,
            results_xml=str(results.resolve()),
            extra_env={**variables, **(environment or {})},
            plusargs=list(plusargs),
            testcase=testcase,
            log_file=log,
        )
    except SystemExit as end:  # the runner's way to say that a test failed
        status = f"exit code {end.code}"
    if not results.is_file():
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else status
        raise SimulationError(f"{model.top} must run to its end:\n{text[-2000:]}")
    failed = _failures(results)
    if failed or status:
        raise SimulationError("; ".join(failed) or f"{model.top} must pass, not give {status}")


def run(
    model: Model, job: Job, *, waves: Path | None = None, plusargs: tuple[str, ...] = (),
) -> Result:
    """Play `job` on `model`.

    Parameters
    ----------
    model
        A built `Bench`.
    job
        What to play.
    waves
        Waveform to write (VCD), from cycle `job.waves_first` to the end; needs a model built
        with waves.
    plusargs
        Of the simulator, each with its plus sign.

    Raises
    ------
    SimulationError
        What the design did was against the job or the rules of its streams.
    """
    keep = os.environ.get("BAMBINO_KEEP")  # a folder that keeps jobs, results and logs
    folder = Path(tempfile.mkdtemp(prefix="simulation.", dir=keep))
    if waves is not None:
        plusargs += (f"+waves_first={job.waves_first or 0}", "+waves_file=waves.vcd")
    try:
        save_job(job, folder / "job.npz")
        run_module(
            model, "sim.player", folder,
            environment={
                "BAMBINO_JOB": str(folder / "job.npz"),
                "BAMBINO_RESULT": str(folder / "result.npz"),
            },
            plusargs=plusargs,
        )
        result = load_result(folder / "result.npz")
        if waves is not None:
            shutil.move(folder / "waves.vcd", waves)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    if result.error:
        raise SimulationError(result.error)
    return result
