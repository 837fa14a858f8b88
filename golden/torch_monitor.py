"""The exact integers in torch, frame by frame: each layer keeps the frames that it needs again."""

from collections import deque
from collections.abc import Generator, Iterable

import torch
from torch import Tensor

from golden.layer import Layer
from golden.layer import Raw as RawEnd
from golden.monitor import Codes, Endless, Raw, check, span, step
from golden.torch_engine import fire, pool, sums


class TorchFollower:
    """Computes every frame of every map once; an engine of `golden.monitor`."""

    name = "torch"

    def follow(self, endless: Endless, codes: Iterable[Codes]) -> Generator[Raw]:
        """Yield each score's raw result, see `golden.monitor.Follower`."""
        stages = [_Stage(layer) for layer in endless.convolutions]
        ring: deque[Tensor] = deque(maxlen=endless.window)
        left = endless.window  # frames of the map until the next score
        with torch.inference_mode():
            for piece in codes:
                check(endless, piece)
                new = torch.tensor(piece)
                for stage in stages:
                    new = stage.push(new)
                for frame in range(new.shape[2]):
                    ring.append(new[:, :, frame])
                    left -= 1
                    if left == 0:
                        left = endless.every
                        yield _rest(endless, torch.stack(tuple(ring), 2).amax((1, 2), keepdim=True))


class _Stage:
    """One layer on a stream; where it takes a maximum over the map, over each frame's bands."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._held: Tensor | None = None
        self._skip = 0  # frames to come that no output needs: strides beyond the kernel

    def push(self, new: Tensor) -> Tensor:
        """Take frames ``[in, band, frame]``; give those of the output that they complete."""
        layer = self._layer
        held = new if self._held is None else torch.cat([self._held, new], 2)
        skip = min(self._skip, held.shape[2])
        held, self._skip = held[:, :, skip:], self._skip - skip
        count = max(0, (held.shape[2] - span(layer)) // step(layer) + 1)
        used = (count - 1) * step(layer) + span(layer)
        done = min(count * step(layer), held.shape[2])
        self._held, self._skip = held[:, :, done:], self._skip + count * step(layer) - done
        if count == 0:
            bands = layer.output_shape((held.shape[0], held.shape[1], span(layer)))[1]
            return torch.zeros((layer.out_channels, bands, 0), dtype=torch.uint8)
        end = layer.end
        assert not isinstance(end, RawEnd)  # no raw layer takes a maximum, nor stands before one
        fired = fire(end, sums(layer, held[:, :, :used]))
        return fired.amax(1, keepdim=True) if layer.pool == "global" else pool(layer, fired)


def _rest(endless: Endless, x: Tensor) -> Raw:
    """Evaluate the layers behind the maximum on its ``[channel, 1, 1]``."""
    for layer in endless.network.layers[endless.last + 1 :]:
        total, end = sums(layer, x), layer.end
        if isinstance(end, RawEnd):
            break
        x = pool(layer, fire(end, total))
    raw: Raw = (total[:, 0, 0] + torch.tensor(endless.network.raw.bias)).numpy()
    return raw
