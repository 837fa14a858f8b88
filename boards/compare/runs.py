"""Many jobs on all cores: with progress, none lost by another's failure, interruptible."""

import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from boards.compare.job import Job
from boards.compare.results import Failure, Result
from boards.compare.store import Store
from boards.compare.tools import Runner, Stopped

POLL_SECONDS = 0.2
"""So often the main thread looks up, and can be interrupted."""

Measured = tuple[list[Result], list[Failure]]


def run(jobs: Sequence[Job], store: Store, runner: Runner, *, workers: int, title: str) -> Measured:
    """Measure `jobs`, the largest first; return results in the order of `jobs`, and failures.

    An interruption ends the tools and leaves by KeyboardInterrupt; what was finished is kept in
    the cache, and the next call takes it from there. Progress is a bar, or, where stderr is no
    terminal, a line for each job.
    """
    results: dict[Job, Result] = {}
    failures: dict[Job, Failure] = {}
    order = sorted(jobs, key=weight, reverse=True)
    pool = ThreadPoolExecutor(workers)
    futures: dict[Future[Result], Job] = {pool.submit(store.measure, job): job for job in order}
    try:
        with _progress() as progress:
            task = progress.add_task(title, total=len(jobs))
            left = set(futures)
            while left:
                done, left = wait(left, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    job = futures[future]
                    error = future.exception()
                    if error is None:
                        results[job] = future.result()
                    elif isinstance(error, Stopped | KeyboardInterrupt):
                        raise KeyboardInterrupt
                    elif isinstance(error, Exception):
                        failures[job] = Failure(job=job.label, why=one_line(error))
                    else:
                        raise error
                    _tell(progress, f"{len(results) + len(failures)}/{len(jobs)}", title, job)
                progress.update(task, completed=len(jobs) - len(left))
    except BaseException:
        runner.stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [results[j] for j in jobs if j in results], [failures[j] for j in jobs if j in failures]


def weight(job: Job) -> int:
    """Say roughly how long a job takes, so that no long one is started last."""
    per_cell = {"gated": 30, "folded": 20, "table": 10, "mac-dsp": 30}.get(job.kind, 150)
    fixed = 4000 if job.level == "accelerator" else 500
    return (per_cell * job.cells + fixed) * (1 if job.seed is None else 4)


def one_line(error: BaseException) -> str:
    """Say in one line what was wrong; of a fault of the program its type, too."""
    text = " ".join(str(error).split())
    if isinstance(error, ValueError | RuntimeError | OSError) and text:
        return text
    return f"{type(error).__name__}: {text}"


def designs(jobs: Iterable[Job]) -> list[Job]:
    """Return the designs of `jobs`, each once, in order."""
    return list(dict.fromkeys(job.design for job in jobs))


def _tell(progress: Progress, done: str, title: str, job: Job) -> None:
    """Say which job ended, where no bar is seen: in a log."""
    if not progress.console.is_terminal:
        print(f"{title} {done}: {job.label}", file=sys.stderr, flush=True)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        transient=True,
    )
