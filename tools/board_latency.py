"""Measure a virtual board on endless audio: ``.venv/bin/python tools/board_latency.py BOARD``.

The demo clip goes on and on. Before the last frame of each score the board is left alone until it
has done all else; then the cycles of its clock count from the host's sending that frame to the
host's having the result: the link and the host's own time included.
"""

import json
import sys
import time

import numpy as np

from boards import known
from boards.link.engine import Target, connected
from boards.virtual.terminal import Terminal
from golden import audio, clip, netfile
from golden.front_end import codes
from golden.monitor import endless
from golden.torch_monitor import TorchFollower
from hw.endless import lower_endless

SCORES = 3
WAIT = 1.0
"""Seconds that the board is left alone."""


class Watched(Terminal):
    """A virtual board that can be found."""

    on: "list[Watched]" = []

    def __enter__(self) -> "Watched":
        """Switch it on."""
        self.on.append(self)
        super().__enter__()
        return self


def main(name: str) -> None:
    """Follow the stream and print what came of it as JSON."""
    from boards.virtual import terminal

    terminal.Terminal = Watched
    it = endless(netfile.load(clip.SHIPPED))
    hearing = it.network.front_end
    assert hearing is not None
    frames = it.frames + (SCORES - 1) * it.hop
    samples = np.resize(audio.load(clip.DEMO), (frames - 1) * hearing.hop + hearing.window)
    heard = codes(samples, hearing)
    lowered = lower_endless(it, known.board(name).config)
    ends = range(it.frames - lowered.period.warm_up * it.hop, frames + 1, it.hop)
    pieces = np.split(heard, [at for end in ends for at in (end - 1, end)], axis=2)
    after, raws = [], []
    with connected(Target(port=f"sim:{name}"), print) as engine:
        packets = lowered.load_packets()
        engine._host.converse(packets, len(packets), 1 << 24)
        for exchange in lowered.exchanges(pieces):
            if exchange.ends:
                time.sleep(WAIT)
            began = Watched.on[0].cycles
            replies = engine._host.converse(exchange.packets, exchange.replies, 1 << 24)
            if exchange.ends:
                after.append(Watched.on[0].cycles - began)
            if exchange.score:
                raws.append(lowered.raw(replies))
            if len(raws) == SCORES:
                break
    same = np.array_equal(raws, list(TorchFollower().follow(it, [heard])))
    found = {"same": same, "after": after, "machine": lowered.latency, "period": lowered.cycles}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main(sys.argv[1])
