"""How long one window takes, engine by engine, on one core: ``python -m golden.speed`` prints it.

All are timed in one process, turn by turn, so that what else the machine does hits all alike; the
best turn of each counts. Microsoft's DNSMOS P.808 takes part where the package `speechmos` is
installed (``pip install -c constraints.txt -e '.[bench]'``).
"""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import audio, clip, dnsmos, front_end, netfile, teacher
from golden.adds.engine import AddsEngine

TURNS = 40
DNSMOS_SECONDS = 9.01
STREAM_SECONDS = audio.BLOCK_SECONDS

Call = Callable[[], object]


def measure() -> dict[str, Any]:
    """Time every engine on the shipped network and the demo clip.

    Returns
    -------
    dict
        ``cpu``; ``kind`` of the engine `adds`; by engine ``ms_per_window``,
        ``windows_per_second`` and ``times_slower_than_adds``, the network alone and, under
        ``with_front_end``, with it; ``front_end_ms`` of a window alone and in a stream;
        ``ms_per_second_of_audio`` of `adds` and, where it is installed, of DNSMOS P.808.
    """
    network = netfile.load(clip.SHIPPED)
    hearing = network.front_end
    assert hearing is not None  # the shipped network hears
    samples = np.resize(audio.load(clip.DEMO), STREAM_SECONDS * hearing.sample_rate)
    window = samples[: hearing.clip_samples]
    codes = front_end.codes(window, hearing)
    adds = AddsEngine(report=lambda line: print(line, file=sys.stderr))
    shared = len(list(front_end.window_codes(samples, hearing)))
    calls: dict[str, Call] = {
        "adds": lambda: adds.predict(network, codes, maps=False),
        **_torch(codes),
        "front_end": lambda: front_end.codes(window, hearing),
        "front_end_of_a_stream": lambda: list(front_end.window_codes(samples, hearing)),
    }
    dnsmos = _dnsmos(samples)
    if dnsmos is not None:
        calls["dnsmos_p808"] = dnsmos
    best = _best(calls)
    heard = {"alone": best.pop("front_end"), "in_a_stream": best.pop("front_end_of_a_stream")}
    heard["in_a_stream"] /= shared
    audio_ms = {"adds": best["adds"] / hearing.clip_seconds}
    if dnsmos is not None:
        audio_ms["dnsmos_p808"] = best.pop("dnsmos_p808") / DNSMOS_SECONDS
    found = {"cpu": cpu(), "kind": adds.kind, **_ratios(best), "front_end_ms": heard}
    whole = {name: ms + heard["in_a_stream"] for name, ms in best.items()}
    return found | {
        "with_front_end": _ratios(whole),
        "ms_per_second_of_audio": {name: round(ms, 4) for name, ms in audio_ms.items()},
        "dnsmos_p808_times_slower_than_adds": (
            None if dnsmos is None else round(audio_ms["dnsmos_p808"] / audio_ms["adds"], 2)
        ),
    }


def cpu() -> str:
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return os.uname().machine
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, os.uname().machine)


def _ratios(ms: dict[str, float]) -> dict[str, Any]:
    return {
        "ms_per_window": {name: round(value, 4) for name, value in ms.items()},
        "windows_per_second": {name: round(1e3 / value) for name, value in ms.items()},
        "times_slower_than_adds": {n: round(value / ms["adds"], 2) for n, value in ms.items()},
    }


def _best(calls: dict[str, Call]) -> dict[str, float]:
    """Shortest time of each call, ms, over turns of all of them; the first turn is a rehearsal."""
    best = dict.fromkeys(calls, float("inf"))
    for turn in range(TURNS + 1):
        for name, call in calls.items():
            for _ in range(3):
                began = time.perf_counter()
                call()
                taken = 1e3 * (time.perf_counter() - began)
                best[name] = min(best[name], taken) if turn else best[name]
    return best


def _torch(codes: NDArray[np.uint8]) -> dict[str, Call]:
    """The float network of the same shape, ReLU in place of bits, and the exact integers."""
    import torch

    from golden.descent import channels_last
    from golden.model import paper_network
    from golden.torch_engine import TorchEngine

    torch.set_num_threads(1)
    network = netfile.load(clip.SHIPPED)
    layout = torch.channels_last
    model = paper_network("float").eval()
    channels_last(model)
    batch = torch.tensor(codes)[None].float().contiguous(memory_format=layout)

    def floats() -> object:
        with torch.inference_mode():
            return model(batch)

    return {"float32_torch": floats, "exact_torch": lambda: TorchEngine().predict(network, codes)}


def _dnsmos(samples: NDArray[np.float32]) -> Call | None:
    """DNSMOS P.808 on its own window of 9.01 s, front-end not counted, or None."""
    if any(importlib.util.find_spec(name) is None for name in ("speechmos", "onnxruntime")):
        return None
    session = teacher.session()
    window = np.resize(samples, dnsmos.FRONT_END.clip_samples)
    features = {session.get_inputs()[0].name: dnsmos.features(window)[None]}
    return lambda: session.run(None, features)


if __name__ == "__main__":
    # One core, whatever starts threads: before anything here has started one.
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    print(json.dumps(measure()))
