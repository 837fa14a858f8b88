"""DNSMOS P.808 in bits: Microsoft's float network imported, binarised and fine-tuned.

The five convolutions and three dense layers of the shipped ONNX file (see `golden.dnsmos`) keep
their shape; bits take the place of ReLU maps and 8-bit weights that of floats. Fine-tuning asks it
for what the original says of mixes from the training side of the recordings, so it needs no label
but the original's own.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from golden import (
    data,
    descent,
    dnsmos,
    front_end,
    mixing,
    netfile,
    onnx_graph,
    onnx_import,
    teacher,
)
from golden.binarise import binarise
from golden.checkpoint import predict
from golden.export import export
from golden.figures import correlation
from golden.network import Network
from golden.quantise import InputCodes
from golden.sister_tuning import EXAMPLES, FRAMES, Report, SisterOptions, integers, tune, tune_dense

NETWORK = "network.npz"
VALID_MIXES = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Sister:
    """What came of it.

    Parameters
    ----------
    path
        Of the network file.
    origins
        By layer the name of the node that it comes from.
    valid
        Correlation with the original's score on validation mixes: of the ``float`` network as
        imported, ``binarised``, with its ``dense`` layers fine-tuned on the bits as they are, and
        ``tuned`` as a whole (the network that was kept).
    """

    path: Path
    origins: dict[str, str]
    valid: dict[str, float]

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {"path": str(self.path), "origins": self.origins, "valid": self.valid}


def imported() -> tuple[nn.Sequential, dict[str, str]]:
    """Import the original for maps ``[clip, 1, band, frame]`` of values from -1 to 1, as floats.

    Raises
    ------
    ValueError
        A package or the model is missing, or the model is not one that can be imported.
    """
    module, origins = onnx_import.sequential(onnx_graph.read(dnsmos.model_path()))
    weighted = {n: o for n, o in origins.items() if n.startswith(("conv", "dense"))}
    return onnx_import.swapped(module), weighted


def input_codes() -> InputCodes:
    """What a code of `golden.dnsmos.FRONT_END` stands for."""
    return InputCodes(zero=dnsmos.ZERO, step=1 / dnsmos.ZERO)


def labelled(options: SisterOptions, split: data.Split, count: int) -> tuple[Tensor, Tensor]:
    """Mix and label, or read what was mixed and labelled before.

    Returns
    -------
    tuple of Tensor
        Codes uint8 ``[mix, 1, band, FRAMES]`` and the original's scores float32 ``[mix]``.
    """
    path = options.out / f"mixes-{split}-{options.seed}-{count}.npz"
    if not path.is_file():
        recordings = data.split(data.read_manifest(options.data))[split]
        codes: list[NDArray[np.uint8]] = []

        def clips() -> Iterator[NDArray[np.float32]]:
            number = 0
            while len(codes) < count:
                rng = np.random.default_rng([options.seed, data.SPLITS.index(split), number])
                number += 1
                try:
                    _, noisy = mixing.mix(options.data, mixing.draw(recordings, rng))
                except mixing.SilentMixError:
                    continue
                codes.append(window_codes(noisy)[:, :, :FRAMES])
                yield noisy

        scores = teacher.labels(clips(), cache=options.out, processes=options.processes)
        beside = path.with_suffix(f".{os.getpid()}.tmp")
        with beside.open("wb") as file:
            np.savez(file, codes=np.stack(codes), scores=scores)
        beside.rename(path)
    with np.load(path, allow_pickle=False) as kept:
        return torch.from_numpy(kept["codes"]), torch.from_numpy(kept["scores"])


def window_codes(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Codes of the window that a short clip fills when it is repeated, ``[1, band, frame]``."""
    window = np.resize(samples, dnsmos.FRONT_END.clip_samples)
    return front_end.codes(window, dnsmos.FRONT_END)


def finished(module: nn.Sequential, about: dict[str, str]) -> Network:
    """Export `module` for windows of the original's length."""
    hearing = dnsmos.FRONT_END
    example = np.zeros((1, hearing.bands, hearing.frames), np.uint8)
    return export(module, example, names=[dnsmos.OUTPUT], front_end=hearing, about=about)


def sister(options: SisterOptions, report: Report = lambda _: None) -> Sister:
    """Import, binarise, fine-tune and export.

    Parameters
    ----------
    options
        All that decides.
    report
        Is told in one line what happens.

    Raises
    ------
    ValueError
        A package, the model or the recordings are missing.
    OSError
        The folder cannot be written.
    """
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    floats, origins = imported()
    options.out.mkdir(parents=True, exist_ok=True)
    report(f"mixing and labelling {options.mixes + VALID_MIXES:,} mixes")
    valid = labelled(options, "valid", VALID_MIXES)
    train = labelled(options, "train", options.mixes)
    inputs = input_codes()
    scores = valid[1].numpy().astype(np.float64)
    found = {"float": correlation(predict(nn.Sequential(inputs, floats), valid[0], 8), scores)}
    module = binarise(floats, inputs, train[0][:EXAMPLES], beta=options.beta)
    descent.channels_last(module)
    found["binarised"] = correlation(integers(module, valid[0])[0], scores)
    report(f"valid_pcc {found['float']:.4f} as floats, {found['binarised']:.4f} binarised")
    found["dense"] = tune_dense(module, train, valid)
    report(f"valid_pcc {found['dense']:.4f} with dense layers fine-tuned")
    found["tuned"] = tune(module, train, valid, options, report)
    how = f"{options.epochs} epochs" if options.epochs else "its dense layers only"
    about = {
        "name": f"DNSMOS P.808 in bits, fine-tuned on {options.mixes:,} mixes ({how})",
        "origin": f"speechmos, dnsmos_models/{dnsmos.model_path().name}; golden.sister",
        "licence": dnsmos.LICENCE,
    }
    path = options.out / NETWORK
    netfile.save(finished(module, about), path)
    return Sister(path=path, origins=origins, valid=found)
