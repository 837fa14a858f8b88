"""The verbs that train networks and measure them, and their options."""

import argparse
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from boards.console import BUILT, DATA, DATA_HELP, OUT_HELP, chosen_network, note, print_json
from boards.scores import cores

TRAIN_OPTIONS: dict[str, tuple[type, str]] = {
    "cache": (Path, "folder of labelled mixes; without it OUT/mixes"),
    "variant": (str, "bam8 (binary maps, 8-bit weights) or float (the ReLU baseline)"),
    "mixes": (int, "training mixes to label, and draws per epoch"),
    "epochs": (int, "passes over that many draws"),
    "batch": (int, "mixes per step"),
    "rate": (float, "peak learning rate"),
    "beta": (float, "steepness of the surrogate derivative"),
    "warm": (Path, "best.pt of a float training: start from its weights"),
    "teacher": (Path, "best.pt of a float training: its predictions are half of the target"),
    "seed": (int, "of mixes, start and order"),
    "device": (str, "cpu or cuda"),
    "threads": (int, "torch threads"),
    "processes": (int, "processes that mix and label"),
}

RECIPE_OPTIONS: dict[str, tuple[type, str]] = {
    "clips": (int, "training clips"),
    "epochs": (int, "passes over them"),
    "batch": (int, "clips per step, over all processes"),
    "rate": (float, "peak learning rate"),
    "bare-rate": (float, "rate of layers without batch norms as a share of it"),
    "codes-rate": (float, "the same for networks of 8-bit maps, which have none at all"),
    "warm-up": (float, "share of the steps in which it rises"),
    "beta": (float, "steepness of the surrogate derivative"),
    "dropout": (float, "share dropped behind the first three convolutions"),
    "seen": (int, "clips of a process's share of a step that norms before bits see at a time"),
    "firing": (float, "share of pooled sums that fire at the start, where no groups say it"),
    "sharpen": (float, "share of the steps in which bits are softened"),
    "slope": (float, "how steep they are at its end"),
    "distil": (float, "weight of the float network's predictions in the target"),
    "decay": (float, "weight decay"),
    "average": (float, "decay per step of a running mean of the weights, of all but float"),
    "settle": (int, "epochs more for bits, of conv4 and dense layers alone; all that bam-w8 has"),
    "settle-distil": (float, "weight of the float network's predictions in the target of those"),
    "anew": (int, "epochs before that in which bam and what starts from it get new dense layers"),
}
EXPERIMENT_OPTIONS: dict[str, tuple[type, str]] = {
    "cache": (Path, "folder of labelled clips; without it OUT/clips"),
    "seeds": (int, "how many seeds of each variant, default: 4"),
    "first-seed": (int, "the first of them, default: 1; machines may share the seeds of one OUT"),
    "device": (str, "cpu or cuda; several through torchrun"),
    "threads": (int, "torch threads of each process"),
    "processes": (int, "processes that mix and label, default: 1"),
    "valid": (int, "validation clips"),
    "known": (int, "test clips of known kinds of distortion, where the list is drawn"),
    "unseen-kinds": (int, "test clips of kinds kept out of training, likewise"),
    "test-list": (Path, "scenes and labels; without it the committed list, if its files are there"),
}

SOURCES_HELP = (
    "folder of recordings with a manifest.csv, or with speech/SPEAKER/, noise/ and rir/,"
    " default: BAMBINO_DATA, now %(default)s"
)
VARIANTS_HELP = (
    "float, bam, bam-w8, a8w8 (these by default), codes-8, codes-4, codes-3, dense-binary,"
    " maxima-codes, maxima-2bit, beta-N, pow2-scales"
)
OUTPUTS_HELP = (
    "what the networks predict: pesq (by default), dnsmos, for which DNSMOS P.808 is asked (needs"
    " the extra teacher), or pesq,dnsmos"
)
NO_GROUPS_HELP = (
    "bits do not start where the float network's values fall into two groups, but at --firing"
)
LIST_HELP = "mixes (CSV), or with --part scenes (JSON lines); without it the shipped list"
PART_HELP = (
    "of the experiment's list: kinds of distortion that training knows, or two that it does not"
)
LABEL_HELP = (
    "what is to be predicted: pesq, as the list says, or dnsmos, for which DNSMOS P.808 is asked"
    " (needs the extra teacher); default: %(default)s"
)
CHECKPOINT_HELP = "best.pt that the network comes from: also count the bits in which they differ"


def train_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of `train`."""
    sub.add_argument("--data", type=Path, metavar="DIR", default=DATA, help=DATA_HELP)
    sub.add_argument("--out", type=Path, metavar="DIR", default=BUILT / "train", help=OUT_HELP)
    sub.add_argument("--restart", action="store_true", help="ignore the checkpoint in OUT")
    for name, (kind, text) in TRAIN_OPTIONS.items():
        sub.add_argument(f"--{name}", type=kind, help=text)


def experiment_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of `experiment`."""
    sub.add_argument("--data", type=Path, metavar="DIR", default=DATA, help=SOURCES_HELP)
    sub.add_argument("--out", type=Path, metavar="DIR", default=BUILT / "experiment", help=OUT_HELP)
    sub.add_argument("--variants", metavar="NAME,...", help=VARIANTS_HELP)
    sub.add_argument("--outputs", metavar="NAME,...", help=OUTPUTS_HELP)
    for name, (kind, text) in (EXPERIMENT_OPTIONS | RECIPE_OPTIONS).items():
        sub.add_argument(f"--{name}", type=kind, help=text)
    sub.add_argument("--no-warm", action="store_true", help="start afresh, not at float or bam")
    sub.add_argument("--no-groups", action="store_true", help=NO_GROUPS_HELP)
    sub.add_argument("--no-rotate", action="store_true", help="clips begin where they begin")
    sub.add_argument("--no-norm", action="store_true", help="train without batch norms")
    sub.add_argument("--no-half", action="store_true", help="float32 in training, not bfloat16")
    sub.add_argument("--labels-only", action="store_true", help="end when all is labelled")


def evaluate_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of `evaluate`."""
    sub.add_argument("--data", type=Path, metavar="DIR", default=DATA, help=DATA_HELP)
    sub.add_argument("--list", type=Path, metavar="FILE", help=LIST_HELP)
    sub.add_argument("--part", choices=("known", "unseen_kinds"), help=PART_HELP)
    sub.add_argument("--label", choices=("pesq", "dnsmos"), default="pesq", help=LABEL_HELP)
    sub.add_argument("--checkpoint", type=Path, metavar="PT", help=CHECKPOINT_HELP)
    sub.add_argument("--float", action="store_true", help="measure the checkpoint itself")
    sub.set_defaults(preset="medium", lanes=None, columns=None, cell=None)


def train(args: argparse.Namespace) -> int:
    """Mix, label with PESQ, train and export; may be interrupted and run again."""
    from golden.train import train as run
    from golden.train_options import TrainOptions

    chosen = {name: getattr(args, name) for name in TRAIN_OPTIONS}
    options = {name: value for name, value in chosen.items() if value is not None}
    print(run(TrainOptions(data=args.data, out=args.out, resume=not args.restart, **options)))
    return 0


def experiment(args: argparse.Namespace) -> int:
    """Train and compare the paper's variants, from folders of audio; may be run again."""
    # Processes share the cores out themselves: a matrix product that takes them all for itself
    # stops the others. Must be said before numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from golden.experiment.experiment import Options
    from golden.experiment.experiment import run as train_all
    from golden.experiment.recipe import Recipe

    recipe: dict[str, Any] = _given(args, RECIPE_OPTIONS)
    options: dict[str, Any] = _given(args, EXPERIMENT_OPTIONS)
    means = ("warm", "groups", "rotate", "norm", "half")
    recipe |= {name: False for name in means if getattr(args, f"no_{name}")}
    for name, chosen in (("variants", options), ("outputs", recipe)):
        if (given := getattr(args, name)) is not None:
            chosen[name] = tuple(given.split(","))
    asked = Options(
        data=args.data, out=args.out, recipe=Recipe(**recipe), labels_only=args.labels_only,
        **options,
    )
    for path in train_all(asked, note):
        print(path)
    return 0


def _given(args: argparse.Namespace, options: dict[str, tuple[type, str]]) -> dict[str, Any]:
    """Pick the `options` that were given."""
    names = [name.replace("-", "_") for name in options]
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def evaluate(args: argparse.Namespace) -> int:
    """Measure how well a network predicts PESQ, or DNSMOS P.808, on the test list."""
    from rich.console import Console
    from rich.progress import track

    from boards import report
    from golden import testlist
    from golden.evaluate import Labelled, evaluate_checkpoint
    from golden.evaluate import evaluate as measure
    from golden.experiment import lists

    ticker = partial(track, description="evaluating", console=Console(stderr=True))
    mixes: Sequence[Labelled]
    if args.part is None:
        mixes = testlist.read(args.list or testlist.PATH)
    else:
        parts = lists.read(args.list or lists.TEST_LIST)
        mixes = [lists.TestScene(scene=scene, pesq=pesq) for scene, pesq in parts[args.part]]
    if args.float and (args.checkpoint is None or args.label != "pesq"):
        raise ValueError("--float must come with --checkpoint, and without another --label")
    if not args.data.is_dir():
        raise FileNotFoundError(f"{args.data}: the data folder must exist")
    if args.float:
        result = evaluate_checkpoint(args.checkpoint, mixes, args.data, ticker=ticker)
    else:
        network = chosen_network(args)
        result = measure(
            network, mixes, args.data, label=args.label, checkpoint=args.checkpoint, ticker=ticker,
            processes=cores(),
        )
    if args.json:
        print_json(result.as_dict())
    else:
        report.evaluation(result)
    return 0
