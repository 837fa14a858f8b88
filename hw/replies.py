"""What the machine's replies to one clip say: its layers' outputs and its raw result."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.format import Format
from hw.packets import Packet, Reply
from hw.schedule import Run, Schedule


class ReplyError(RuntimeError):
    """The machine answered something else than was due."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a clip's replies say.

    Parameters
    ----------
    outputs
        Each layer's output, uint8 ``[channel, band, frame]``; empty if no maps were asked for.
    raw
        int32 ``[out]``.
    cycles
        From the first code accepted to the last raw word.
    """

    outputs: dict[str, NDArray[np.uint8]]
    raw: NDArray[np.int32]
    cycles: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of a map that one READ sends: `words` of the map memory from `start` on."""

    layer: int
    start: int
    words: int


def run_pieces(plan: Schedule, run: Run) -> list[Piece]:
    """Return what a run wrote, in the pieces that the ring leaves, in order."""
    stage = plan.stages[run.stage]
    ahead = plan.stages[run.stage + 1 :]
    if not ahead or ahead[0].number == stage.number:
        return []  # the raw result is no map, and parts of a maximum are no output
    ring = plan.rings[run.stage + 1]
    frame, end = run.written
    found = []
    while frame < end:
        count = min(end - frame, ring.frames - frame % ring.frames)
        found.append(
            Piece(layer=stage.number, start=ring.at(frame), words=count * ring.frame_words),
        )
        frame += count
    return found


def pieces(plan: Schedule) -> list[Piece]:
    """Return every piece that a program with maps sends, in order."""
    return [p for step in plan.steps for run in step.runs for p in run_pieces(plan, run)]


def decode(plan: Schedule, replies: Iterable[Packet], *, maps: bool) -> Answer:
    """Return what the replies of one clip say, as they came; OK is passed over.

    Raises
    ------
    ReplyError
        An error, a packet that was not due, or one of a wrong length.
    """
    due = pieces(plan) if maps else []
    found: dict[int, list[Packet]] = {}
    raw = None
    for reply in replies:
        kind, value = int(reply[0]) >> 24, int(reply[0]) & 0xFFFFFF
        if kind == Reply.OK:
            continue
        if kind == Reply.MAP and due and value == due[0].layer:
            count = due.pop(0).words
            if len(reply) != 1 + count * _word_length(plan):
                raise ReplyError(f"map of layer {value} must have {count} words")
            found.setdefault(value, []).append(reply[1:])
        elif kind == Reply.RESULT and not due and raw is None:
            raw = reply[1:].astype(np.uint32)
        else:
            raise ReplyError(f"reply {int(reply[0]):#010x} was not due")
    network = plan.network
    if raw is None or len(raw) != len(network.raw.names) + 1:
        raise ReplyError(f"the result must have {len(network.raw.names)} words and the cycles")
    return Answer(
        outputs={
            network.layers[number].name: _unpack(plan, number, np.concatenate(words))
            for number, words in found.items()
        },
        raw=raw[:-1].view(np.int32),
        cycles=int(raw[-1]),
    )


def _word_length(plan: Schedule) -> int:
    """Return the stream words that carry one word of the map memory."""
    return -(-plan.config.word_bits // 32)


def _unpack(plan: Schedule, number: int, words: Packet) -> NDArray[np.uint8]:
    """Return the output of a layer, from the words of its pixels in order."""
    network, config = plan.network, plan.config
    channels, bands, frames = network.shapes[number + 1]
    width = config.act_bits
    planes = -(-network.layers[number].end.output_bits // width)
    form = Format(config=config, channels=channels, planes=planes)
    parts = words.astype("<u4").view(np.uint8)
    if width == 1:
        parts = np.unpackbits(parts, bitorder="little")
    parts = parts.reshape(
        frames, bands, form.rows, planes, config.row_words, _word_length(plan) * 32 // width,
    )
    weight = (1 << np.arange(planes)).astype(np.uint8)
    out = np.empty((channels, bands, frames), np.uint8)
    for channel in range(channels):
        row, word, lane = form.place(channel)
        out[channel] = (parts[:, :, row, :, word, lane] * weight).sum(2, dtype=np.uint8).T
    return out
