"""What the verbs of the command line share; it loads nothing before it is asked to."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from golden.network import Network
    from hw.config import Config


def chosen_network(args: argparse.Namespace) -> "Network":
    """Load the network that `args` choose; a wrong preset is refused whatever the verb needs."""
    from boards import choice

    chosen_config(args)
    return choice.network(args.network, args.preset, eight_bit=args.eight_bit)


def chosen_config(args: argparse.Namespace) -> "Config":
    """Return the preset that `args` choose, with their lanes, columns and cells."""
    from boards import choice

    return choice.config(args.preset, args.lanes, args.columns, args.cell)


def note(line: str) -> None:
    """Tell people what happens, or what went wrong, beside the results."""
    print(line, file=sys.stderr, flush=True)


def print_json(data: object) -> None:
    """Print what ``--json`` asks for."""
    print(json.dumps(data, indent=2))
