"""Labels without PESQ, and few of them."""

import numpy as np
import pytest

from golden import labels, mixing
from golden.experiment import store


def loudness(clean: mixing.Samples, clip: mixing.Samples) -> float:
    """Stand in for PESQ: something that a spectrogram shows."""
    return 1.0 + 3.0 * min(1.0, float(np.square(clean).sum() / np.square(clip).sum()))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Label without PESQ, in shards of a size for tests."""
    monkeypatch.setattr(labels, "label", loudness)
    monkeypatch.setattr(store, "SHARD", 4)
    for user in ("labelling", "manifests"):
        monkeypatch.setattr(f"golden.experiment.{user}.SHARD", 4)
