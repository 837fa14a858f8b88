"""What the command line's options choose: the network, the machine, the engine."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden import clip, netfile
from golden.network import Network
from golden.random_networks import tiny_network
from golden.trace import Trace
from hw.config import Config, preset

Predict = Callable[[Network, Sequence[NDArray[np.uint8]]], list[Trace]]


def network(path: Path | None, machine: str) -> Network:
    """Load the network of the file `path`; without one, what goes with the preset `machine`.

    That is the shipped network, but for `tiny` an untrained one that fits it.
    """
    if path is None and machine == "tiny":
        return tiny_network()
    return netfile.load(clip.SHIPPED if path is None else path)


def config(machine: str, lanes: int | None, columns: int | None) -> Config:
    """Return the preset `machine` with other lanes or columns where they are given."""
    chosen = preset(machine)
    return replace(
        chosen,
        lanes=chosen.lanes if lanes is None else lanes,
        columns=chosen.columns if columns is None else columns,
    )


def engine(name: str, machine: Config, report: Callable[[str], None]) -> Predict:
    """Load the engine `name`; it takes all windows of a clip at once."""
    if name == "rtl":
        from sim.engine import RtlEngine

        return partial(RtlEngine(machine, report=report).predict_many, maps=False)
    if name == "naive":
        from golden.naive import NaiveEngine

        predict = NaiveEngine().predict
    else:
        from golden.torch_engine import TorchEngine

        predict = TorchEngine().predict
    return lambda network, windows: [predict(network, codes) for codes in windows]
