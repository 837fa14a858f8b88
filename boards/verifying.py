"""The verb `verify`: a machine against the oracles, wherever it is."""

import argparse

from boards.board_verbs import verify_board
from boards.console import (
    chosen_config,
    chosen_family,
    chosen_network,
    chosen_target,
    note,
    print_json,
)


def verify(args: argparse.Namespace) -> int:
    """Compare the simulated hardware with PyTorch, bit by bit at every layer's boundary."""
    from boards import choice, report
    from golden import clip
    from hw.estimate import estimate as predict
    from sim.verify import verify as compare

    target, family = chosen_target(args), chosen_family(args)
    if family is not None and args.waves is not None:
        raise ValueError("--waves must go with --engine rtl: a netlist's nets have no names")
    if target is not None:
        return verify_board(args, target)
    network, config = chosen_network(args), chosen_config(args)
    windows = [window for path in args.clips or [None] for window in clip.windows(network, path)]
    engine = choice.simulated(config, note, family)
    found = compare(engine, network, [window.codes for window in windows], waves=args.waves)
    if args.json:
        print_json(found.as_dict())
    else:
        seconds = None if network.front_end is None else network.front_end.clip_seconds
        report.verification(found, predict(network, config), len(windows), seconds, engine.name)
        report.origin(network)
    if found.first is not None:
        note(f"first difference: {windows[found.first[0]].origin}, {found.first[1]}")
    if found.cycles != found.estimated_cycles:
        note(f"cycles must be {found.estimated_cycles} as estimated, not {found.cycles}")
    return 0 if found.good else 1
