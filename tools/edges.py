"""Measure what padded edges do to a score: ``.venv/bin/python tools/edges.py DATA``.

Each mix of the test list is scored twice: alone, its edges padded, as `bambino score` does, and
within endless audio, as `bambino monitor` does. There its recordings simply go on: the same levels,
15 frames before and 14 behind.
"""

import json
import sys
from pathlib import Path

import numpy as np

from golden import audio, clip, mixing, netfile, testlist
from golden.adds.engine import AddsEngine
from golden.evaluate import correlation
from golden.front_end import codes
from golden.monitor import endless


def longer(data: Path, recipe: mixing.Recipe, before: int, behind: int) -> np.ndarray:
    """Mix as `golden.mixing.mix` does, and go on at the same levels on either side, samples."""
    middle = slice(before, before + mixing.SAMPLES)
    parts = [
        np.take(audio.load(data / path), np.arange(at - before, at + mixing.SAMPLES + behind),
                mode="wrap").astype(np.float64)
        for path, at in (recipe.speech, *recipe.noises)
    ]
    speech, noise = parts
    noise /= np.sqrt(np.mean(noise[middle] ** 2))
    noise *= np.sqrt(np.mean(speech[middle] ** 2) / 10 ** (recipe.snr_db / 10))
    mixed = speech + noise
    mixed *= 10 ** (recipe.level_db / 20) / np.sqrt(np.mean(mixed[middle] ** 2))
    return mixed.astype(np.float32)


def main(data: Path) -> None:
    """Score every mix both ways and print the differences as JSON."""
    it = endless(netfile.load(clip.SHIPPED))
    hearing = it.network.front_end
    assert hearing is not None
    behind = it.frames - it.edge - it.network.input_shape[2]
    before, behind = it.edge * hearing.hop, behind * hearing.hop
    engines = AddsEngine(), AddsEngine()
    labels, alone, within = [], [], []
    for one in testlist.read():
        samples = longer(data, one.recipe, before, behind)
        window = samples[before : before + mixing.SAMPLES]
        np.testing.assert_allclose(window, mixing.mix(data, one.recipe)[1], atol=1e-5)
        for network, heard, engine, found in (
            (it.network, window, engines[0], alone), (it.unpadded, samples, engines[1], within),
        ):
            raw = engine.predict(network, codes(heard, hearing), maps=False).raw
            found.extend(it.network.scores(raw).values())
        labels.append(one.pesq)
    apart = np.array(within) - np.array(alone)
    found = {
        "mixes": len(labels),
        "pcc_alone": correlation(np.array(labels), np.array(alone)),
        "pcc_endless": correlation(np.array(labels), np.array(within)),
        "mean": apart.mean(),
        "mean_absolute": np.abs(apart).mean(),
        "absolute_95": np.quantile(np.abs(apart), 0.95),
        "absolute_most": np.abs(apart).max(),
        "equal": int((apart == 0).sum()),
        "deviation_of_scores": np.std(alone),
    }
    print(json.dumps({name: round(float(value), 4) for name, value in found.items()}, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
