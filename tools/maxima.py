"""Measure what the bits behind the global maximum cost.

CACHE holds the labelled clips of `bambino experiment`, RUN.npz a `bam-w8` network of it that
predicts both outputs. Everything up to the last convolution's sums stays as it is, in integers. New
dense layers in floats (64-64-2) are trained on what 30,000 clips leave behind the global maximum:
the bits, the maxima in codes of 2 and of 3 bits, or the maxima themselves. Printed as JSON: PCC
with PESQ and with the teacher's MOS, of the 1,200 clips of known kinds and of those trained on.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn import functional as F

from golden import netfile
from golden.adds.engine import AddsEngine
from golden.dnsmos import OUTPUT as DNSMOS
from golden.experiment import anew, clips
from golden.experiment.clips import Clips, Draws
from golden.experiment.recipe import Recipe
from golden.figures import correlation
from golden.heads import PESQ
from golden.layer import Threshold
from golden.network import Network

TRAINED, KNOWN, PART = 30_000, 1200, 64
EPOCHS, SEED = 15, 7
OUTLIERS = 0.03
"""Share of the maxima below the first step of the codes, and above the last."""


def left_behind(network: Network, codes: Tensor, engine: AddsEngine) -> tuple[Tensor, Tensor]:
    """Bits behind the global maximum and greatest sums, float32 ``[clip, channel]`` each."""
    last = next(layer for layer in network.layers if layer.pool == "global")
    assert isinstance(last.end, Threshold)
    before = network.layers[network.layers.index(last) - 1].name
    traces = [engine.predict(network, one).outputs for one in codes.numpy()]
    maps = torch.tensor(np.stack([trace[before] for trace in traces]), dtype=torch.float32)
    sums = F.conv2d(maps, torch.tensor(last.weights, dtype=torch.float32), padding=last.padding)
    greatest = sums.amax(dim=(2, 3))
    bits = torch.tensor(np.stack([trace[last.name].reshape(-1) for trace in traces]))
    assert torch.equal(greatest > torch.tensor(last.end.threshold), bits.bool())
    return bits.float(), greatest


def heard(network: Network, given: Clips, says: str, draws: Draws | None) -> tuple[Tensor, Tensor]:
    """Bits and greatest sums of all clips, or of `draws` of them."""
    assert network.front_end is not None
    engine, found = AddsEngine(), []
    count = TRAINED if draws is not None else len(given)
    parts = range(0, count, PART)
    for at in track(parts, says, console=Console(stderr=True)):
        part = slice(at, min(count, at + PART))
        if draws is None:
            log_mel = given.log_mel(torch.arange(part.start, part.stop))
            codes = clips.to_codes(log_mel, network.front_end, network.input_bits)
        else:
            codes = draws.batch(given, network.front_end, network.input_bits, part)[0]
        found.append(left_behind(network, codes, engine))
    bits, sums = zip(*found, strict=True)
    return torch.cat(bits), torch.cat(sums)


def in_steps(values: Tensor, low: Tensor, high: Tensor, bits: int) -> Tensor:
    """Codes of `bits`, in even steps from `low` to `high` of each channel."""
    steps = 2**bits
    return ((values - low) / (high - low) * steps).floor().clamp(0, steps - 1) / (steps - 1)


def main() -> None:
    """Train on each kind of what is left behind, and print how well it predicts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cache", type=Path, help="labelled clips of `bambino experiment`")
    parser.add_argument("run", type=Path, help="a network of bits with both outputs: RUN.npz")
    arguments = parser.parse_args()
    try:
        measure(arguments.cache, arguments.run)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def measure(cache: Path, run: Path) -> None:
    """As `main`, of this cache and this network."""
    network, host = netfile.load(run), torch.device("cpu")
    ends = [layer.end for layer in network.layers if layer.pool == "global"]
    if not ends or not isinstance(ends[0], Threshold):
        raise ValueError(f"{run}: must have bits behind a global maximum")
    train = clips.load(cache, "train", TRAINED, host, (PESQ, DNSMOS))
    known = clips.load(cache, "known", KNOWN, host, (PESQ, DNSMOS))
    draws = Draws.of(TRAINED, Recipe(), SEED, 0, host)
    ours = heard(network, train, "training clips", draws)
    theirs = heard(network, known, "known kinds", None)
    low, high = ours[1].quantile(OUTLIERS, dim=0), ours[1].quantile(1 - OUTLIERS, dim=0)
    middle, spread = ours[1].mean(dim=0), ours[1].std(dim=0)

    def kinds(bits: Tensor, sums: Tensor) -> dict[str, Tensor]:
        return {
            "bits": bits,
            "codes of 2 bits": in_steps(sums, low, high, 2),
            "codes of 3 bits": in_steps(sums, low, high, 3),
            "maxima": (sums - middle) / spread,
        }

    wanted = {"known": known.targets, "trained on": train.targets[draws.order]}
    found = {}
    inputs, others = kinds(*ours), kinds(*theirs)
    for kind, each in inputs.items():
        layers = anew.layers(each, wanted["trained on"], epochs=EPOCHS, seed=SEED)
        found[kind] = {
            name: [
                round(correlation(guess.double().numpy(), label.double().numpy()), 4)
                for guess, label in zip(
                    layers(which).detach().unbind(1), wanted[name].unbind(1), strict=True,
                )
            ]
            for name, which in (("known", others[kind]), ("trained on", each))
        }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
