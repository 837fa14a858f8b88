"""The verb `score`, one clip or many, loading only what it needs."""

import argparse
import os
from collections.abc import Iterator
from time import perf_counter
from typing import TYPE_CHECKING

from boards.console import (
    chosen_config,
    chosen_family,
    chosen_network,
    chosen_preset,
    chosen_target,
    note,
    print_json,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from golden.network import Network


def cores() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0))


def score(args: argparse.Namespace) -> int:
    """Score one clip window by window, or many files, folders and patterns with a line each."""
    if args.engine == "adds":
        # What is left of matrix products is small; NumPy's threads would wait for each other.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from boards import choice, report
    from golden import clip, scoring

    target, family = chosen_target(args), chosen_family(args)
    network = chosen_network(args)
    if len(args.clips) > 1 or any(p.is_dir() or scoring.is_pattern(p) for p in args.clips):
        if target is not None:
            raise ValueError("--engine board must score one clip at a time")
        return _many(args, network)
    predict = choice.engine(args.engine, chosen_config(args), note, target, family)
    began, starts = perf_counter(), []

    def codes() -> "Iterator[NDArray[np.uint8]]":
        for window in clip.stream(network, *args.clips):
            starts.append(window.start)
            yield window.codes

    traces = predict(network, codes())
    result = clip.score(network, starts, traces)
    seconds = perf_counter() - began
    if args.json:
        where = {"preset": chosen_preset(args)} if target is None else {"port": target.port}
        mapped = {} if family is None else {"target": family}
        how = {"engine": args.engine, **where, **mapped, "seconds": seconds}
        print_json(result.as_dict() | how)
    else:
        report.score(result, args.engine, seconds)
        report.origin(network)
    return 0


def _many(args: argparse.Namespace, network: "Network") -> int:
    from boards import batch
    from golden import scoring

    files = scoring.find(args.clips)
    results = scoring.score(network, files, engine=args.engine, jobs=args.jobs, report=note)
    unreadable = batch.write(results, len(files), network.raw.names, as_json=args.json)
    for one in unreadable:
        note(f"unreadable: {one.file}: {one.error}")
    if unreadable:
        note(f"{len(unreadable)} of {len(files)} files could not be read")
    return 1 if unreadable else 0
