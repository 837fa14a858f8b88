"""Small made-up results folders, for tests: noisy copies of made-up labels, no training."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from golden.experiment.records import measure

KINDS = {"known": ("noise", "clipping", "codec"), "unseen_kinds": ("gating",)}
CLIPS = {"known": 12, "unseen_kinds": 6}
DATA = "0123abcd"
DIFFERING = {"clips": 2, "elements": 1000, "mismatches": 3}
ERROR = {"float": 0.20, "bam": 0.22, "bam-w8": 0.21, "a8w8": 0.3}


def clip_list(*, teacher: bool = False) -> dict[str, Any]:
    """Make `test.json`."""
    rng = np.random.default_rng(1)
    sets = {}
    for name, clips in CLIPS.items():
        kinds = KINDS[name]
        sets[name] = [
            {
                "id": f"{name}-{i}",
                "recipe": f"{kinds[i % len(kinds)]} at {i} dB",
                "kind": kinds[i % len(kinds)],
                "pesq": round(float(rng.uniform(1, 4.6)), 4),
                "teacher": round(float(rng.uniform(1, 5)), 4) if teacher else None,
            }
            for i in range(clips)
        ]
    return {"schema": 1, "data": DATA, "sets": sets}


def run(test: dict[str, Any], variant: str, seed: int, *, integer: bool = False) -> dict[str, Any]:
    """Make one run on `test`, of the teacher's MOS as well where the list has it."""
    rng = np.random.default_rng([sum(variant.encode()), seed])
    predictions: dict[str, list[float]] = {}
    metrics = {}
    for name, clips in test["sets"].items():
        for label, key in (("pesq", name), ("teacher", f"{name}:teacher")):
            if clips[0][label] is None:
                continue
            labels = np.array([clip[label] for clip in clips])
            noise = rng.normal(0, ERROR.get(variant, 0.25), labels.size)
            predictions[key] = [round(float(value), 4) for value in labels + noise]
            found = measure(labels, np.array(predictions[key]))
            metrics[key] = {
                "n": found.n, "mse": found.mse, "pcc": found.pcc, "srcc": found.srcc,
            }
    return {
        "schema": 1, "variant": variant, "seed": seed, "data": test["data"],
        "recipe": {"rate": 0.001, "variant": variant}, "tools": {"torch": "2.13.0"},
        "epochs": 2, "seconds": 100.0 + seed, "device": "AMD EPYC", "threads": 2,
        "history": [
            {"epoch": e, "train_loss": 1 / e, "valid_mse": 0.5 / e, "valid_pcc": 0.4 * e}
            for e in (1, 2)
        ],
        "predictions": predictions, "sets": metrics,
        "ones": {} if variant == "float" else {"codes": 0.5, "conv1": 0.25},
        "integer": {**metrics, "differing": DIFFERING} if integer else None,
        "weights": f"{variant}-{seed}.npz",
    }


def write(folder: Path, names: tuple[str, ...], *, teacher: bool = False) -> Path:
    """Write a folder with the runs of `names`, ``VARIANT-SEED`` each."""
    test = clip_list(teacher=teacher)
    (folder / "runs").mkdir(parents=True)
    (folder / "test.json").write_text(json.dumps(test))
    for name in names:
        variant, seed = name.rsplit("-", 1)
        whole = run(test, variant, int(seed), integer=variant == "bam-w8")
        (folder / "runs" / f"{name}.json").write_text(json.dumps(whole))
    return folder


def change(path: Path, *keys: str | int, to: object) -> None:
    """Set what stands at `keys` in the JSON file at `path`; None of the last key removes it."""
    whole = json.loads(path.read_text())
    inner = whole
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = to
    path.write_text(json.dumps(whole))
