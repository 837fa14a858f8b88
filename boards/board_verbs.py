"""The verbs of the command line that need a board, or make one up."""

import argparse
from typing import TYPE_CHECKING

from boards.console import chosen_network, note, print_json

if TYPE_CHECKING:
    from boards.link.engine import Target


def verify_board(args: argparse.Namespace, target: "Target") -> int:
    """Compare a board with PyTorch, bit by bit at every layer's boundary."""
    from boards import report
    from boards.link.engine import connected
    from golden import clip
    from sim.verify import compare

    if args.waves is not None:
        raise ValueError("--waves must go with --engine rtl: a board writes no waveform")
    network = chosen_network(args)
    windows = [window for path in args.clips or [None] for window in clip.windows(network, path)]
    codes = [window.codes for window in windows]
    with connected(target, note) as engine:
        found = compare(network, codes, engine.predict_many(network, codes))
        board = engine.counters()
    if args.json:
        print_json(found.as_dict() | {"dropped": board.dropped, "repeated": board.repeated})
    else:
        report.agreement(found, board, len(windows))
        report.origin(network)
    if found.first is not None:
        note(f"first difference: {windows[found.first[0]].origin}, {found.first[1]}")
    return 0 if found.identical else 1


def board_sim(args: argparse.Namespace) -> int:
    """Serve a virtual board as a serial port, until interrupted; prints the port's name."""
    from boards import known
    from boards.virtual.terminal import Terminal

    with Terminal(known.board(args.board), note) as terminal:
        print(terminal.path, flush=True)
        while terminal.wait(0.2):
            pass
    return 0


def faults(args: argparse.Namespace) -> int:
    """Try the link on a simulated line that damages frames; prints JSON."""
    from boards.link.faults import survive

    found = survive(args.frames, rate=args.rate, seed=args.seed, report=note)
    print_json(found.as_dict())
    return 0 if found.good else 1
