"""The verb `sister`, loading only what it needs."""

import argparse

from boards.console import note, print_json

SISTER_OPTIONS: dict[str, tuple[type, str]] = {
    "mixes": (int, "training mixes of 5 s"),
    "epochs": (int, "passes over them"),
    "batch": (int, "mixes per step"),
    "rate": (float, "peak learning rate"),
    "beta": (float, "steepness of the surrogate derivative"),
    "seed": (int, "of mixes and order"),
    "threads": (int, "torch threads"),
    "processes": (int, "processes that label"),
}


def sister(args: argparse.Namespace) -> int:
    """Import DNSMOS P.808 from its ONNX file, binarise it and fine-tune it to its own scores."""
    from boards import report
    from golden.sister import sister as run
    from golden.sister_tuning import SisterOptions

    chosen = {name: getattr(args, name) for name in SISTER_OPTIONS}
    options = {name: value for name, value in chosen.items() if value is not None}
    found = run(SisterOptions(data=args.data, out=args.out, **options), note)
    if args.json:
        print_json(found.as_dict())
    else:
        report.sister(found)
    return 0
