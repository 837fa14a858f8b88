"""The waveform round a difference: which word carried it out, and the cycles before that."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from golden.network import Network
from golden.trace import Difference
from hw.lower import Lowered, lower
from hw.packets import Reply
from sim.build import build
from sim.engine import Codes, RtlEngine
from sim.job import Played, Words
from sim.simulation import run

CELL_CYCLES = 500_000
"""Lanes x columns x cycles that a waveform shows before the packet with the wrong word."""

AFTER = 10
"""Cycles that it shows after the wrong word."""


def _value(lowered: Lowered, replies: list[Words], at: Difference) -> int:
    """Return what `replies` say of the element that `at` names."""
    answer = lowered.decode(replies)
    if at.layer in answer.outputs:
        return int(answer.outputs[at.layer][at.channel, at.band, at.frame])
    return int(answer.raw[at.channel])


def locate(lowered: Lowered, replies: list[Words], at: Difference) -> tuple[int, int]:
    """Return the reply, and the word in it, that carry an element.

    Bits are inverted word range by word range until only one word is left whose inversion changes
    the element: what `decode` knows of the maps' order is not repeated here. Where an element's
    bits stand in several words, it is the first of them.

    Parameters
    ----------
    lowered
        The network that was run, with its maps.
    replies
        Of one clip.
    at
        The element.
    """
    words = [
        (i, k)
        for i, reply in enumerate(replies)
        if int(reply[0]) >> 24 in (Reply.MAP, Reply.RESULT)
        for k in range(1, reply.size)
    ]
    before = _value(lowered, replies, at)

    def carries(some: list[tuple[int, int]]) -> bool:
        changed = [reply.copy() for reply in replies]
        for i, k in some:
            changed[i][k] ^= np.uint32(0xFFFFFFFF)
        return _value(lowered, changed, at) != before

    while len(words) > 1:
        half = words[: len(words) // 2]
        words = half if carries(half) else words[len(words) // 2 :]
    return words[0]


def span(lowered: Lowered, played: Played, at: Difference) -> tuple[int, int]:
    """Return the first and the last cycle to show for the element `at`.

    The run that computed it ends where its packet begins; the span reaches back from there.
    """
    reply, word = locate(lowered, played.replies, at)
    begins = sum(each.size for each in played.replies[:reply])
    packet = int(played.reply_cycles[begins])
    config = lowered.schedule.config
    before = max(50, CELL_CYCLES // (config.lanes * config.columns))
    return max(0, packet - before), int(played.reply_cycles[begins + word]) + AFTER


def write(engine: RtlEngine, network: Network, codes: Codes, at: Difference, path: Path) -> None:
    """Run one clip again and write the cycles round its element `at` as a VCD file.

    Parameters
    ----------
    engine
        Whose machine differed.
    network, codes
        On what.
    at
        The first difference.
    path
        The file.
    """
    lowered = lower(network, engine.config, maps=True)
    job = engine.job([(lowered, [codes])])
    first, last = span(lowered, run(engine.model, job).phases[-1], at)
    model = build(engine.design, waves=True, report=engine.report)
    run(model, replace(job, waves_first=first, stop_at=last), waves=path)
