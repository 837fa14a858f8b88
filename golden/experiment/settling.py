"""What stays as it is while a network settles: computed for a few draws of each clip, and kept."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from golden.adds.engine import NUMPY, AddsEngine
from golden.experiment.clips import Clips, Draws
from golden.experiment.phases import LEARNS
from golden.experiment.recipe import Recipe
from golden.experiment.variants import folded
from golden.export import export
from golden.front_end import FrontEnd
from golden.quantise import QuantConv2d

DRAWS = 3
"""Draws of each clip; epochs take them in turn."""

AT_ONCE = {"cpu": 16, "cuda": 1024}
"""Clips that are computed at a time."""

Giver = Callable[[Tensor], Tensor]


def giver(network: nn.Sequential, still: nn.Sequential, codes: Tensor) -> Giver:
    """Return what makes bits ``[clip, channel, band, frame]`` of codes, as the layers `still` do.

    On a processor an integer network's bits come from the engine `adds`, if that is compiled: they
    are the same, in a sixteenth of the time.

    Parameters
    ----------
    network
        Whose first layers `still` are, in evaluation.
    still
        They.
    codes
        uint8 ``[clip, 1, band, frame]``: an example.
    """
    integer = isinstance(network.get_submodule(LEARNS), QuantConv2d)
    engine = AddsEngine() if integer and codes.device.type == "cpu" else None
    if engine is not None and engine.kind != NUMPY:
        names = [name for name, part in network.named_children() if isinstance(part, QuantConv2d)]
        last, predict = names[names.index(LEARNS) - 1], engine.predict
        integers = export(folded(network), codes[:1])

        def added(some: Tensor) -> Tensor:
            found = [predict(integers, one).outputs[last] for one in some.numpy()]
            return torch.from_numpy(np.stack(found))

        return added

    @torch.no_grad()
    def evaluated(some: Tensor) -> Tensor:
        found: Tensor = still(some)
        return found

    return evaluated


class Kept:
    """Bits that `still` layers give for training clips, eight to a byte.

    Each process computes and keeps those of all clips, 1,860 bytes a draw of the paper's network.

    Parameters
    ----------
    give
        Of `giver`.
    clips, heard, bits
        The clips, their front-end, and bits of its codes.
    recipe, seed, first
        What says how a clip is drawn: of the epochs from `first` on.
    """

    def __init__(
        self, give: Giver, clips: Clips, heard: FrontEnd, bits: int, *, recipe: Recipe, seed: int,
        first: int,
    ) -> None:
        self._give, self._clips, self._heard, self._bits = give, clips, heard, bits
        self._recipe, self._seed, self._first = recipe, seed, first
        self._packed: dict[int, Tensor] = {}
        self._shape: torch.Size | None = None
        self._weights = 2 ** torch.arange(8, dtype=torch.uint8, device=clips.features.device)

    def maps(self, epoch: int, index: Tensor) -> Tensor:
        """Bits of the clips `index` as an epoch hears them, float32."""
        number = self._first + (epoch - self._first) % DRAWS
        if number not in self._packed:
            self._packed[number] = self._compute(number)
        assert self._shape is not None
        bits = (self._packed[number][index][:, :, None] & self._weights) > 0
        return bits.reshape(len(index), *self._shape).float()

    def _compute(self, number: int) -> Tensor:
        clips = self._clips
        device = clips.features.device
        draws = Draws.of(len(clips), self._recipe, self._seed, number, device)
        packed: Tensor | None = None
        size = AT_ONCE[device.type]
        for at in range(0, len(clips), size):
            codes, index = draws.batch(clips, self._heard, self._bits, slice(at, at + size))
            found = self._give(codes)
            self._shape = found.shape[1:]
            eights = found.to(torch.uint8).reshape(len(found), -1, 8) * self._weights
            if packed is None:
                packed = eights.new_zeros(len(clips), eights.shape[1])
            packed[index] = eights.sum(dim=2, dtype=torch.uint8)
        assert packed is not None  # there is at least one clip
        return packed
