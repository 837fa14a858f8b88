"""Microsoft's DNSMOS P.808: where its model lies and what it hears.

The model predicts the mean opinion score (1 to 5) that listeners would give a clip by ITU-T P.808.
It is part of the package `speechmos` (Copyright (c) Microsoft Corporation, MIT licence), which
this project neither contains nor needs: it is the optional extra ``teacher``. Its front-end is
written here once more, so that librosa is not needed, and so that the hardware can have it.

References
----------
Reddy, Gopal, Cutler, "DNSMOS: A non-intrusive perceptual objective speech quality metric to
evaluate noise suppressors", ICASSP 2021, arXiv 2010.15258.
"""

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden import extras
from golden.front_end import FrontEnd, log_mel

NAME = "dnsmos-p808"
"""What the command line calls the model."""

OUTPUT = "dnsmos"
"""What a network calls the output that predicts this model's score."""

LICENCE = "MIT, Copyright (c) Microsoft Corporation"

BANDS, QUIETEST_DB = 120, -80.0
ZERO, STEP_DB = 128, 40 / 128
"""The model hears ``(dB + 40) / 40``, dB relative to the clip's maximum, so from -1 to 1: as codes
of 8 bits ``(code - ZERO) / 128``."""

FRONT_END = FrontEnd(
    kind="log-mel-centred",
    window=321,
    hop=160,
    bands=BANDS,
    mel_scale="slaney",
    log="db",
    reference="max",
    floor=1e-10,
    clip_seconds=9.0,
    offset=np.full(BANDS, QUIETEST_DB, np.float32),
    step=np.full(BANDS, STEP_DB, np.float32),
)
"""900 frames of 120 bands: 9.01 s less the 10 ms that `speechmos` cuts off."""


def model_path() -> Path:
    """Where the package `speechmos` has the model; nothing of the package is run.

    Raises
    ------
    ValueError
        The package or the file is missing.
    """
    found = importlib.util.find_spec("speechmos")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        path = Path(folder) / "dnsmos_models" / "model_v8.onnx"
        if path.is_file():
            return path
    raise extras.lacks("DNSMOS P.808 needs", "speechmos", "teacher")


def features(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the model takes of one window.

    Parameters
    ----------
    samples
        float32 ``[sample]``, `FrontEnd.clip_samples` of them.

    Returns
    -------
    NDArray[np.float32]
        ``[frame, band]``, -1 to 1.
    """
    level = np.maximum(log_mel(samples, FRONT_END), QUIETEST_DB)
    return np.ascontiguousarray(((level + 40) / 40).T)
