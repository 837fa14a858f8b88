"""What the verbs of the command line share; it loads nothing before it is asked to."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from boards.compare.job import Target as Family
    from boards.link.engine import Target
    from golden.network import Network
    from hw.config import Config


DEFAULT_PRESET = "medium"
DATA, BUILT = Path(os.environ.get("BAMBINO_DATA", "data")), Path("build")
DATA_HELP = "folder of recordings with a manifest.csv, default: BAMBINO_DATA, now %(default)s"
OUT_HELP = "folder to write, default: %(default)s"


def chosen_preset(args: argparse.Namespace) -> str:
    """Return the name of the preset that `args` choose."""
    preset: str | None = args.preset
    return DEFAULT_PRESET if preset is None else preset


def chosen_network(args: argparse.Namespace) -> "Network":
    """Load the network that `args` choose; a wrong preset is refused whatever the verb needs."""
    from boards import choice

    chosen_config(args)
    return choice.network(args.network, chosen_preset(args), eight_bit=args.eight_bit)


def chosen_config(args: argparse.Namespace) -> "Config":
    """Return the preset that `args` choose, with their lanes, columns and cells."""
    from boards import choice

    return choice.config(chosen_preset(args), args.lanes, args.columns, args.cell)


def chosen_target(args: argparse.Namespace) -> "Target | None":
    """Return the board that `args` mean; None where they mean another engine.

    The machine is that of the board; one that is named is only expected there.
    """
    from boards import choice

    if args.engine != "board":
        if not args.port is args.board is args.baud is None:
            raise ValueError("--port, --board and --baud must go with --engine board")
        return None
    named = (args.preset, args.lanes, args.columns, args.cell) != (None,) * 4
    machine = chosen_config(args) if named else None
    return choice.target(args.port, args.board, args.baud, machine)


def chosen_family(args: argparse.Namespace) -> "Family | None":
    """Return the family of chips whose netlist `args` mean; None where they mean none."""
    if args.engine != "netlist":
        if args.target is not None:
            raise ValueError("--target must go with --engine netlist")
        return None
    if args.target is None:
        raise ValueError("--engine netlist must come with --target ecp5 or ice40")
    family: Family = args.target
    return family


def note(line: str) -> None:
    """Tell people what happens, or what went wrong, beside the results."""
    print(line, file=sys.stderr, flush=True)


def print_json(data: object) -> None:
    """Print what ``--json`` asks for."""
    print(json.dumps(data, indent=2))
