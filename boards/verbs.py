"""The verbs of the command line that tell what a machine costs, each loading only what it needs."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from boards.console import chosen_config, chosen_network, note, print_json

if TYPE_CHECKING:
    from boards.compare.command import Options
    from boards.compare.job import Target


def estimate(args: argparse.Namespace) -> int:
    """Predict every layer's cycles, exactly, and the chip's resources; nothing is simulated."""
    from boards import choice, report, resources
    from hw.endless import estimate as predict_endless
    from hw.estimate import estimate as predict

    network, config = chosen_network(args), chosen_config(args)
    target: Target = args.target or ("ice40" if config.single_port else "ecp5")
    choice.check_memories(config, target)
    taken = resources.predict(config, target)
    found = predict(network, config)
    heard = predict_endless(network, config)
    if args.json:
        more = {"resources": taken.as_dict(), "endless": None if heard is None else asdict(heard)}
        print_json(found.as_dict() | more)
    else:
        report.estimation(found)
        report.endless(heard)
        report.resources(taken)
    return 0


def compare(args: argparse.Namespace) -> int:
    """Measure what the hardware costs: binary cells against multiply-accumulate."""
    from boards.compare import command, tables
    from boards.compare.derive import derive
    from boards.compare.job import check_targets

    options = command.Options(
        matrix=args.matrix, targets=check_targets(args.targets), workers=args.jobs,
        known=args.known,
    )
    if args.matrix == "fit":
        return _fit(options, json=args.json)
    results = command.measure(options)
    figures = derive(results)
    command.save(results, figures, args.out)
    if args.json:
        print_json(command.as_dict(results, figures))
    else:
        tables.show(results, figures)
    note(f"written: {args.out}")
    for failure in results.failures:
        note(f"failed: {failure.job}: {failure.why}")
    return 1 if results.failures else 0


def _fit(options: "Options", *, json: bool) -> int:
    """Fit the resource model anew."""
    from boards import report, resources
    from boards.compare.fitting import fit

    failures = fit(options.targets, options.workers)
    for failure in failures:
        note(f"failed: {failure.job}: {failure.why}")
    if failures:
        return 1
    if json:
        print_json(resources.saved())
    else:
        report.fit(resources.saved(), options.targets)
    note(f"written: {resources.PATH}")
    return 0


def experiment_page(args: argparse.Namespace) -> int:
    """Write the page of the paper's experiment from its results; nothing is trained."""
    from boards.experiment import figures, page

    made = page.make(args.results, args.out)
    if args.json:
        print_json(figures.as_dict(made))
    runs = len(made.results.runs)
    note(f"written: {args.out / 'experiment.md'}, runs: {runs}")
    return 0


def presets(args: argparse.Namespace) -> int:
    """List the presets and their parameters."""
    from boards import report
    from hw.presets import PRESETS

    if args.json:
        print_json({name: asdict(config) for name, config in PRESETS.items()})
    else:
        report.presets(PRESETS)
    return 0


def bench(args: argparse.Namespace) -> int:
    """Measure the figures of README.md anew; takes minutes, prints JSON."""
    from boards.figures import measure

    figures = measure(note)
    print_json(figures)
    return 1 if None in figures.values() else 0
