"""The command line: one subcommand a job, each loading only what it needs.

Exit codes: 0 good, 1 the machines disagree, a board misses its clock or room, or some of many files
could not be read, 2 bad input (one line on stderr), 130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Never

from boards import monitoring
from boards.board_verbs import board_sim, faults
from boards.build_verbs import boards, build, flash
from boards.console import (
    BUILT,
    DATA,
    DATA_HELP,
    DEFAULT_PRESET,
    OUT_HELP,
    chosen_config,
    chosen_network,
    note,
)
from boards.scores import cores, score
from boards.sister_verb import SISTER_OPTIONS, sister
from boards.training_verbs import (
    evaluate,
    evaluate_options,
    experiment,
    experiment_options,
    train,
    train_options,
)
from boards.verbs import bench, compare, estimate, experiment_page, presets
from boards.verifying import verify

Verb = Callable[[argparse.Namespace], int]

MATRICES = {
    "quick": "cells and 8x8 arrays, synthesis only: minutes",
    "full": "larger arrays as well: many hours; without either option hours",
}
FIT_HELP = (
    "instead: synthesise machines and fit the model of `bambino estimate` to them; writes"
    " boards/resources.json"
)

CLIP_HELP = "audio (WAV, FLAC, ...) or one window of codes (.npy); without it the demo clip"
FILES_HELP = (
    "one clip (audio, or a window of codes as .npy), or many: files, folders, patterns such as"
    " 'calls/**/*.wav'; of many there is one line each, CSV or with --json JSON; without any the"
    " demo clip"
)
JOBS_HELP = "processes that score many files, default: %(default)s"
NETWORK_HELP = (
    "network file; without it the shipped speech-quality network, and on preset tiny an untrained"
    " one that fits"
)
EIGHT_BIT_HELP = "its sibling with 8-bit activations in place of bits, for the mac cells"
WAVES_HELP = "where to write the cycles around the first difference, if there is one"
FAMILY_HELP = (
    "chip family whose resources are predicted, default: ecp5, or ice40 where the weights need its"
    " single-port RAM"
)
NETLIST_HELP = "chip family whose netlist the engine netlist simulates"
TARGET_HELP = "use this family's primitives; without it the Verilog is portable"
PORT_HELP = "of the board: a serial port, or sim: and a board's name for a virtual board"
BOARD_HELP = "which board must be there, with this version's bitstream; without it any is taken"
BAUD_HELP = "bits a second, if not the board's"
BUILD_OUT_HELP = "folder of the bitstream, default: build/boards/BOARD"
RESULTS_HELP = "folder of test.json and runs/, default: %(default)s"
PAGE_OUT_HELP = "gets experiment.md, and pictures and figures in experiment, default: %(default)s"


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that says what is wrong in one line."""

    def error(self, message: str) -> Never:
        """Print `message` and exit with 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def generate(args: argparse.Namespace) -> int:
    """Write the accelerator as accelerator.v with its manifest.json."""
    from boards import choice
    from hw.manifest import generate as write

    config = chosen_config(args)
    if args.target is not None:
        choice.check_memories(config, args.target)
    for path in write(config, args.out, target=args.target):
        print(path)
    return 0


def vectors(args: argparse.Namespace) -> int:
    """Write every layer's input and output, for any test bench to read."""
    from golden import clip
    from golden.torch_engine import TorchEngine
    from golden.vectors import corner_vectors
    from golden.vectors import vectors as write

    if args.corners:
        print(f"{args.out}: {len(corner_vectors(args.out))} corners")
        return 0
    network = chosen_network(args)
    windows = clip.windows(network, args.clip)
    for window in windows:
        out = args.out if len(windows) == 1 else args.out / f"window{window.start:g}"
        write(window.codes, network, out, engine=TorchEngine(), origin=window.origin)
        print(out)
    return 0


def parser() -> Parser:
    """Build the parser of all verbs."""
    whole = Parser(prog="bambino", description="Binary activation maps, from PyTorch to the FPGA.")
    verbs = whole.add_subparsers(required=True, metavar="VERB")
    machine = Parser(add_help=False)
    text = f"machine, see `bambino presets`; without it {DEFAULT_PRESET}"
    machine.add_argument("--preset", help=text)
    machine.add_argument("--lanes", type=int, help="instead of the preset's")
    machine.add_argument("--columns", type=int, help="instead of the preset's")
    machine.add_argument("--cell", help="instead of the preset's: gated, folded, table, mac, ...")
    network = Parser(add_help=False)
    network.add_argument("--network", type=Path, metavar="FILE", help=NETWORK_HELP)
    network.add_argument("--eight-bit", action="store_true", help=EIGHT_BIT_HELP)
    audio = Parser(add_help=False)
    audio.add_argument("clip", type=Path, nargs="?", metavar="CLIP", help=CLIP_HELP)
    data = Parser(add_help=False)
    data.add_argument("--json", action="store_true", help="print JSON")
    link = Parser(add_help=False)
    link.add_argument("--port", help=PORT_HELP)
    link.add_argument("--board", help=BOARD_HELP)
    link.add_argument("--baud", type=int, help=BAUD_HELP)

    def add(run: Verb, *parents: Parser) -> Parser:
        text = (run.__doc__ or "").partition("\n")[0]
        sub = verbs.add_parser(_verb(run), help=text, description=text, parents=parents)
        sub.set_defaults(run=run)
        return sub

    sub = add(score, machine, network, link, data)
    sub.add_argument("clips", type=Path, nargs="*", metavar="FILE", help=FILES_HELP)
    engines = ("adds", "torch", "naive", "rtl", "netlist", "board")
    sub.add_argument("--engine", choices=engines, default="adds", help="default: adds")
    sub.add_argument("--target", choices=("ecp5", "ice40"), help=NETLIST_HELP)
    sub.add_argument("--jobs", type=int, metavar="N", default=cores(), help=JOBS_HELP)
    monitoring.options(add(monitoring.monitor, machine, network, link, data))
    sub = add(verify, machine, network, link, data)
    machines = ("rtl", "netlist", "board")
    sub.add_argument("--engine", choices=machines, default="rtl", help="default: rtl")
    sub.add_argument("--target", choices=("ecp5", "ice40"), help=NETLIST_HELP)
    sub.add_argument("clips", type=Path, nargs="*", metavar="CLIP", help=CLIP_HELP)
    sub.add_argument("--waves", type=Path, metavar="VCD", help=WAVES_HELP)
    sub = add(estimate, machine, network, data)
    sub.add_argument("--target", choices=("ecp5", "ice40"), help=FAMILY_HELP)
    sub = add(generate, machine)
    sub.add_argument("--out", type=Path, metavar="DIR", default=BUILT / "verilog", help=OUT_HELP)
    sub.add_argument("--target", choices=("ecp5", "ice40"), help=TARGET_HELP)
    sub = add(vectors, audio, machine, network)
    sub.add_argument("--out", type=Path, metavar="DIR", default=BUILT / "vectors", help=OUT_HELP)
    sub.add_argument("--corners", action="store_true", help="the corner tensors instead of a clip")
    train_options(add(train))
    experiment_options(add(experiment))
    evaluate_options(add(evaluate, network, data))
    sub = add(experiment_page, data)
    sub.add_argument(
        "--results", type=Path, metavar="DIR", default=Path("docs/experiment/results"),
        help=RESULTS_HELP,
    )
    sub.add_argument("--out", type=Path, metavar="DIR", default=Path("docs"), help=PAGE_OUT_HELP)
    sub = add(sister, data)
    sub.add_argument("--data", type=Path, metavar="DIR", default=DATA, help=DATA_HELP)
    sub.add_argument("--out", type=Path, metavar="DIR", default=BUILT / "sister", help=OUT_HELP)
    for name, (kind, text) in SISTER_OPTIONS.items():
        sub.add_argument(f"--{name}", type=kind, help=text)
    sub = add(compare, data)
    size = sub.add_mutually_exclusive_group()
    for name, text in MATRICES.items():
        size.add_argument(
            f"--{name}", dest="matrix", action="store_const", const=name, default="default",
            help=text,
        )
    size.add_argument("--fit", dest="matrix", action="store_const", const="fit", help=FIT_HELP)
    sub.add_argument("--targets", default="ecp5,ice40", help="families, default: %(default)s")
    sub.add_argument(
        "--known", action="store_true",
        help="measure nothing, show what former calls have measured, complete or not",
    )
    sub.add_argument("--out", type=Path, metavar="DIR", default=BUILT / "compare", help=OUT_HELP)
    sub.add_argument(
        "--jobs", type=int, metavar="N", default=cores(),
        help="tools that run at once, default: %(default)s",
    )
    add(presets, data)
    sub = add(build, data)
    sub.add_argument("--board", required=True, help="its name, see `bambino boards`")
    sub.add_argument("--out", type=Path, metavar="DIR", help=BUILD_OUT_HELP)
    sub.add_argument("--seeds", type=int, metavar="N", help="how many are tried, default: 8")
    add(boards, data)
    sub = add(flash)
    sub.add_argument("--board", required=True, help="its name, see `bambino boards`")
    sub.add_argument("--out", type=Path, metavar="DIR", help=BUILD_OUT_HELP)
    sub = add(board_sim)
    sub.add_argument("board", metavar="BOARD", help="name of the board")
    sub = add(faults)
    sub.add_argument("--frames", type=int, default=100_000, help="both ways, default: %(default)s")
    sub.add_argument("--rate", type=float, default=0.2, help="of faults, default: %(default)s")
    sub.add_argument("--seed", type=int, default=1, help="of packets and faults")
    add(bench)
    return whole


def _verb(run: Verb) -> str:
    """Return what a verb is called on the command line."""
    return run.__name__.replace("_", "-")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    args = parser().parse_args(argv)
    name = f"bambino {_verb(args.run)}"
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        note(f"{name}: interrupted")
        return 130
    except BrokenPipeError:  # as when piped into `head`; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        from boards import refusal

        known = refusal.exit_code(error)
        if known is None or "BAMBINO_TRACEBACK" in os.environ:
            raise
        note(f"{name}: {refusal.explain(error)}")
        return known
    return code


if __name__ == "__main__":
    sys.exit(main())
