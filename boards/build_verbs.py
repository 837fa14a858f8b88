"""The verbs of the command line that make bitstreams and put them on boards."""

import argparse
from pathlib import Path

from boards.console import note, print_json

BUILT = Path("build") / "boards"


def build(args: argparse.Namespace) -> int:
    """Make a board's bitstream; tries further seeds where the clock is missed."""
    from boards import known
    from boards.bitstream import build as flow
    from boards.bitstream.count import Unmet

    board = known.board(args.board)
    out = args.out or BUILT / board.name
    try:
        seeds = flow.SEEDS if args.seeds is None else args.seeds
        made = flow.build(board, out, seeds=seeds, report=note)
    except Unmet as error:
        note(f"bambino build: {error}")
        return 1
    if args.json:
        print_json(made.report)
    else:
        for path in made.paths:
            print(path)
    return 0


def boards(args: argparse.Namespace) -> int:
    """List the boards: chip, machine, whether the shipped network fits, resources, speed."""
    from boards import listing

    found = listing.entries()
    if args.json:
        print_json([each.as_dict() for each in found])
    else:
        listing.show(found)
    return 0


def flash(args: argparse.Namespace) -> int:
    """Program a board with its bitstream."""
    from boards import flash as flashing
    from boards import known

    board = known.board(args.board)
    flashing.flash(board, args.out or BUILT / board.name)
    return 0
