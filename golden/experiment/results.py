"""The file of one training: figures, predictions, weights; what the page is made from."""

import io
import json
import platform
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from golden import descent, netfile
from golden.adds.engine import AddsEngine
from golden.archive import ArchiveError, unpack
from golden.dnsmos import OUTPUT as DNSMOS
from golden.experiment.clips import Clips
from golden.experiment.ones import ones
from golden.experiment.predictions import predict
from golden.experiment.reading import TEACHER
from golden.experiment.store import Row
from golden.experiment.training import Training
from golden.experiment.variants import Variant, build, variant
from golden.export import compare_float, export
from golden.figures import Floats, correlation, ranks
from golden.files import write_whole
from golden.heads import PESQ
from golden.network import Network

SCHEMA = 1
COMPARED = 100
"""Clips on which every bit of the integers is compared with the float network."""

LARGEST = 2**24
"""Of the weights of a network in floats, bytes; the paper's have 200,000."""

DECIMALS = 4
"""Of predictions; all figures are of the rounded ones, so that they can be computed anew."""

TOOLS = ("torch", "numpy", "pesq", "soundfile", "speechmos", "onnxruntime")

SUFFIX = {PESQ: "", DNSMOS: TEACHER}
"""Behind a set's name, by output."""


def figures(labels: Floats, guess: Floats) -> dict[str, float | int]:
    """Mean squared error and correlations of two vectors of one length."""
    return {
        "n": labels.size,
        "mse": round(float(np.mean((labels - guess) ** 2)), 6),
        "pcc": round(correlation(labels, guess), 6),
        "srcc": round(correlation(ranks(labels), ranks(guess)), 6),
    }


def test_file(
    sets: dict[str, list[Row]], data: str, outputs: Sequence[str],
) -> dict[str, Any]:
    """Give `test.json`: what every prediction is of; the teacher's MOS where it is predicted."""
    taught = DNSMOS in outputs
    return {
        "schema": SCHEMA,
        "data": data,
        "sets": {
            name: [
                {
                    "id": row.id, "recipe": row.scene.text, "kind": row.scene.kind,
                    "pesq": row.pesq, "teacher": row.dnsmos if taught else None,
                }
                for row in rows
            ]
            for name, rows in sets.items()
        },
    }


def write_test(folder: Path, values: dict[str, Any]) -> None:
    """Write `test.json` into the results' folder, unless it is there.

    Raises
    ------
    ValueError
        The one that is there is of other clips or labels; it stays.
    """
    path = folder / "test.json"
    if path.is_file() and json.loads(path.read_text()).get("data") != values["data"]:
        raise ValueError(f"{path}: must be of the same clips and labels; give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, values)


def device_name(device: torch.device) -> str:
    """What the training ran on, by its maker's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def record(
    training: Training, best: nn.Sequential, sets: dict[str, Clips],
) -> tuple[dict[str, Any], bytes]:
    """Evaluate `best` on every set and give the run's JSON and the content of its weights file.

    Parameters
    ----------
    training
        What has been trained.
    best
        Its network, on the CPU.
    sets
        Test clips by name, on the CPU.
    """
    task, one = training.task, variant(training.task.name)
    heard, bits = training.heard, training.bits
    codes = {name: clips.codes(heard, bits) for name, clips in sets.items()}
    outputs = task.recipe.outputs
    guess, labels = {}, {}
    for name, clips in sets.items():
        predicted, wanted = predict(best, codes[name]), clips.targets.double().numpy()
        for i, output in enumerate(outputs):
            guess[name + SUFFIX[output]] = predicted[:, i].round(DECIMALS)
            labels[name + SUFFIX[output]] = wanted[:, i].round(DECIMALS)
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "variant": task.name,
        "seed": task.seed,
        "source": task.source,
        "recipe": task.recipe.as_dict(),
        "data": task.data,
        "epochs": training.epoch,
        "seconds": round(training.seconds, 1),
        "device": device_name(task.device),
        "threads": torch.get_num_threads() * task.workers.size,
        "tools": {"python": platform.python_version()} | {
            tool: metadata.version(tool) for tool in TOOLS if _installed(tool)
        },
        "history": training.history,
        "sets": {name: figures(labels[name], guess[name]) for name in guess},
        "predictions": {name: values.tolist() for name, values in guess.items()},
        "ones": ones(best, one, codes["known"]),
        "integer": None,
        "weights": f"{task.name}-{task.seed}.npz",
    }
    if not one.integer:
        arrays = {name: value.numpy() for name, value in best.state_dict().items()}
        content = io.BytesIO()
        np.savez_compressed(
            content, **arrays, front_end_offset=heard.offset, front_end_step=heard.step,
        )
        return result, content.getvalue()
    about = {
        "name": f"speech quality, {task.name}, seed {task.seed}",
        "origin": f"bambino experiment, data {task.data}, epoch of the best validation",
    }
    network = export(
        best, codes["known"][:1].numpy(), names=outputs, front_end=heard, about=about,
    )
    result["integer"] = integers(best, network, codes, labels)
    return result, netfile.dumps(network)


def integers(
    module: nn.Sequential, network: Network, codes: dict[str, Tensor], labels: dict[str, Floats],
) -> dict[str, Any]:
    """Figures of the integer network by set, and how many bits differ from the float network."""
    engine = AddsEngine()
    found: dict[str, Any] = {}
    predictions: dict[str, Floats] = {}
    for name, one_set in codes.items():
        scores = [network.scores(engine.predict(network, one.numpy()).raw) for one in one_set]
        for output in scores[0]:
            each = name + SUFFIX[output]
            predictions[each] = np.array([one[output] for one in scores]).round(DECIMALS)
            found[each] = figures(labels[each], predictions[each])
    elements = mismatches = 0
    for one in codes["known"][:COMPARED]:
        for layer in compare_float(module, network, one.numpy()):
            elements += layer.elements
            mismatches += layer.mismatches
    compared = {"clips": len(codes["known"][:COMPARED]), "elements": elements}
    return found | {
        "engine": engine.kind,
        "differing": compared | {"mismatches": mismatches},
        "predictions": {name: values.tolist() for name, values in predictions.items()},
    }


def write(folder: Path, result: dict[str, Any], weights: bytes) -> Path:
    """Write the weights of a run, then its JSON, and return the JSON's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / result["weights"], weights)
    path = folder / f"{result['variant']}-{result['seed']}.json"
    write_json(path, result)
    return path


def source(path: Path, one: Variant, outputs: int) -> nn.Sequential:
    """Read a network in floats as it was before `record` gave its weights, in evaluation.

    Parameters
    ----------
    path
        The file.
    one
        Its variant, without integers.
    outputs
        Of the last layer.

    Raises
    ------
    ValueError
        The file holds something else.
    """
    found = build(one, outputs=outputs).eval()
    names = list(found.state_dict())
    try:
        arrays = unpack(path.read_bytes(), largest=LARGEST)
        weights = {name: torch.tensor(arrays[name]) for name in names}
        found.load_state_dict(weights)
    except KeyError as error:
        raise ValueError(f"{path}: must hold the weights of its run, {error} too") from None
    except (ArchiveError, RuntimeError, TypeError) as error:
        said = str(error).splitlines()[-1].strip()
        raise ValueError(f"{path}: must hold the weights of its run ({said})") from None
    if not all(bool(value.isfinite().all()) for value in weights.values()):
        raise ValueError(f"{path}: must hold finite weights")
    descent.channels_last(found)  # as trained ones lie: sums are rounded alike
    return found


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write JSON with one line for each value at the top and each epoch of the history."""
    write_whole(path, (_lines(values) + "\n").encode())


def _lines(values: dict[str, Any]) -> str:
    plain: Callable[[Any], str] = json.dumps
    parts = []
    for name, value in values.items():
        if name == "sets" and isinstance(next(iter(value.values())), list):
            inner = ",\n".join(
                f" {plain(key)}: [\n  " + ",\n  ".join(map(plain, rows)) + "]"
                for key, rows in value.items()
            )
            parts.append(f"{plain(name)}: {{\n{inner}}}")
        elif name == "history":
            parts.append(f"{plain(name)}: [\n  " + ",\n  ".join(map(plain, value)) + "]")
        else:
            parts.append(f"{plain(name)}: {plain(value)}")
    return "{" + ",\n ".join(parts) + "}"


def _installed(tool: str) -> bool:
    try:
        metadata.version(tool)
    except metadata.PackageNotFoundError:
        return False
    return True
