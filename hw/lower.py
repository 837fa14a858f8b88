"""Lowering: a network becomes a program, weights, and the packets that carry them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.layer import Raw, Requantise, Threshold
from golden.network import Network
from hw.config import Config
from hw.fit import FitError, offsets
from hw.packets import Command, Packet, header
from hw.plan import Stage
from hw.program import LAYER, PASS, READ, RESULT, RUN, SIMPLE, Op, words
from hw.replies import Answer, decode, pieces, run_pieces
from hw.schedule import Run, Schedule, schedule


@dataclass(frozen=True, kw_only=True, slots=True)
class Lowered:
    """A network as a machine takes it.

    Parameters
    ----------
    schedule
        The plan behind it.
    maps
        Whether the program sends every layer's output.
    program
        uint32 ``[words]``.
    weights
        int8 ``[rows, columns]``.
    """

    schedule: Schedule
    maps: bool
    program: Packet
    weights: NDArray[np.int8]

    def load_packets(self) -> list[Packet]:
        """Packets that make the network resident: program, then weights. Each is answered OK."""
        rows = np.zeros(-(-self.weights.size // 4) * 4, np.int8)
        rows[: self.weights.size] = self.weights.ravel()
        return [
            packet(Command.PROGRAM, [0], self.program),
            packet(Command.WEIGHTS, [0], rows.view("<u4")),
        ]

    def clip_packets(self, codes: NDArray[np.uint8]) -> list[Packet]:
        """Packets that start one prediction and bring its codes, uint8 ``[channel, band, frame]``.

        Both are answered OK, besides the packets that `decode` takes.
        """
        self.schedule.network.check_codes(codes)
        ring, frames = self.schedule.rings[0], codes.shape[2]
        order = np.zeros((frames, ring.frame_words), np.uint8)
        order[:, : codes[..., 0].size] = codes.transpose(2, 1, 0).reshape(frames, -1)
        padded = np.zeros(-(-order.size // 4) * 4, np.uint8)
        padded[: order.size] = order.ravel()
        start = np.array([0, order.size, ring.size], np.uint32)
        return [packet(Command.START, [], start), packet(Command.CODES, [], padded.view("<u4"))]

    def reply_count(self) -> int:
        """Packets that answer one clip, both OK included."""
        return 2 + 1 + (len(pieces(self.schedule)) if self.maps else 0)

    def decode(self, replies: Iterable[Packet]) -> Answer:
        """Return what the replies of one clip say, see `hw.replies.decode`."""
        return decode(self.schedule, replies, maps=self.maps)


def lower(network: Network, config: Config, *, maps: bool = False) -> Lowered:
    """Lower `network` to `config`.

    Parameters
    ----------
    network
        What to run.
    config
        On which machine.
    maps
        Let the program send every layer's output besides the raw result.

    Raises
    ------
    FitError
        The network does not fit: which layer, which memory, by how much.
    """
    return lower_plan(schedule(network, config), maps=maps)


def lower_plan(plan: Schedule, *, maps: bool = False) -> Lowered:
    """Lower a plan; see `lower`."""
    program, config = _program(plan, maps=maps), plan.config
    if len(program) > config.program_words:
        raise FitError(
            f"the program does not fit: it has {len(program)} words, {config.program_words} are"
            " there",
        )
    weights = np.concatenate([_weights(stage) for stage in plan.stages])
    return Lowered(
        schedule=plan, maps=maps, program=np.array(program, np.uint32), weights=weights,
    )


def program_words(plan: Schedule) -> int:
    """Return the length of the program that sends no maps, 32-bit words."""
    return len(_program(plan, maps=False))


def turned(lowered: Lowered, frames: Sequence[int]) -> Packet:
    """Return the instructions of a program, words from address 0 on, with its rings turned.

    Parameters
    ----------
    lowered
        A network whose program sends no maps.
    frames
        How many slots later each frame stands in its ring, by ring; the last holds the raw result.
    """
    plan, size = lowered.schedule, len(_instructions(lowered.schedule, maps=False))
    return np.array(_instructions(plan, _layers_at(plan, size), frames, maps=False), np.uint32)


def packet(command: Command, head: Sequence[int], payload: NDArray[np.uint32]) -> Packet:
    """Return a command's packet: its header, and `head` before `payload`."""
    first = [header(command, len(head) + len(payload)), *head]
    return np.concatenate([np.array(first, np.uint32), payload])


def _weights(stage: Stage) -> NDArray[np.int8]:
    """Return the weight rows of a stage, ``[rows, columns]``, in the order of their use."""
    config, layer = stage.config, stage.layer
    columns, out = config.columns, layer.out_channels
    tiles = stage.output.tiles
    kernels = np.zeros((tiles * columns, *layer.weights.shape[1:]), np.int8)
    kernels[:out] = layer.weights
    ends = np.zeros((tiles * columns, config.parameter_rows), np.uint8)
    for channel, offset in enumerate(offsets(layer)):
        value = offset & ((1 << config.acc_bits) - 1)
        if isinstance(layer.end, Threshold) and layer.end.flip[channel]:
            value |= 1 << config.acc_bits
        ends[channel] = list(value.to_bytes(config.parameter_rows, "little"))
    rows = []
    for tile in range(tiles):
        mine = slice(tile * columns, (tile + 1) * columns)
        for each in stage.passes[: stage.plane_passes]:
            channel, kh, kw = each.inputs.T
            chosen = kernels[mine][:, channel, kh, kw]  # [columns, lanes]
            rows.append(np.where(channel < 0, 0, chosen).T)
        rows.append(ends[mine].T.view(np.int8))
    return np.concatenate(rows).astype(np.int8)


def _program(plan: Schedule, *, maps: bool) -> list[int]:
    """Return the program: instructions, then layers, then their passes."""
    size = len(_instructions(plan, maps=maps))
    layers_at = _layers_at(plan, size)
    passes_at = size + len(plan.stages) * (LAYER.size // 32)
    layers: list[int] = []
    passes: list[int] = []
    weights_at = 0
    for number, stage in enumerate(plan.stages):
        layers += _layer(plan, number, passes_at=passes_at + len(passes), weights_at=weights_at)
        for each in stage.passes:
            passes += words(
                PASS,
                frame_offset=each.frame * stage.frame_words,
                map_offset=(each.offset + plan.rings[number].base) % (1 << 16),
                frame=each.frame,
                band=each.band,
                reads=each.reads,
                warm=each.warm,
                shift=each.shift,
                plane=each.plane,
            )
        weights_at += stage.weight_rows
    return _instructions(plan, layers_at, maps=maps) + layers + passes


def _layers_at(plan: Schedule, size: int) -> list[int]:
    """Return where each stage's LAYER stands, behind so many words of instructions."""
    return [size + i * (LAYER.size // 32) for i in range(len(plan.stages))]


def _instructions(
    plan: Schedule,
    layers_at: Sequence[int] | None = None,
    turn: Sequence[int] | None = None,
    *,
    maps: bool,
) -> list[int]:
    """Return the instructions; their number depends on neither `layers_at` nor `turn`."""
    layers_at = [0] * len(plan.stages) if layers_at is None else layers_at
    turn = [0] * len(plan.rings) if turn is None else turn
    codes = plan.rings[0].frame_words
    accept = min(plan.frames, plan.rings[0].frames)
    program = words(SIMPLE, op=Op.LIMIT, count=accept * codes)
    for step in plan.steps:
        program += words(SIMPLE, op=Op.WAIT, count=step.frames * codes)
        first = True
        for run in step.runs:
            program += _run(plan, run, layers_at[run.stage], turn[run.stage : run.stage + 2])
            if first and step.accept > accept:
                accept = step.accept
                program += words(SIMPLE, op=Op.LIMIT, count=accept * codes)
            first = False
            if maps:
                for piece in run_pieces(plan, run):
                    program += words(
                        READ,
                        op=Op.READ,
                        layer=piece.layer,
                        start=piece.start,
                        count=piece.words,
                    )
        if first and step.accept > accept:
            accept = step.accept
            program += words(SIMPLE, op=Op.LIMIT, count=accept * codes)
    form, base = plan.stages[-1].output, plan.rings[-1].base
    for channel in range(form.channels):
        row, word, lane = form.place(channel)
        program += words(
            RESULT,
            op=Op.RESULT,
            start=base + form.word(row, 0, word),
            lane=lane,
            first=channel == 0,
            last=channel == form.channels - 1,
        )
    return program


def _layer(plan: Schedule, number: int, *, passes_at: int, weights_at: int) -> list[int]:
    stage, ring, out = plan.stages[number], plan.rings[number], plan.rings[number + 1]
    codes, end = stage.from_codes, stage.layer.end
    return words(
        LAYER,
        passes_at=passes_at,
        passes=len(stage.passes),
        weights_at=weights_at,
        tiles=stage.output.tiles,
        block_groups=stage.block_groups,
        advance=stage.frame_inc * stage.frame_words,
        ring_size=ring.size,
        frame_step=stage.layer.stride[1] * stage.frame_words,
        frames=stage.shape[2],
        bands=stage.shape[1],
        band_step=stage.pixel_words * (1 if codes else stage.layer.stride[0]),
        band_inc=1 if codes else stage.layer.stride[0],
        skip=stage.layer.stride[0] - 1 if codes else 0,
        codes=codes,
        pooled=stage.pooled,
        whole=stage.whole,
        bits=isinstance(stage.layer.end, Threshold),
        raw=isinstance(stage.layer.end, Raw),
        out_end=out.end,
        out_base=out.base,
        out_stride=stage.output.pixel_words,
        out_planes=stage.planes,
        steps=stage.steps,
        frame_inc=stage.layer.stride[1],
        plane_passes=stage.plane_passes,
        shifts=stage.shifts,
        shift=end.shift if isinstance(end, Requantise) else 0,
    )


def _run(plan: Schedule, run: Run, layer_at: int, turn: Sequence[int]) -> list[int]:
    stage, ring, out = plan.stages[run.stage], plan.rings[run.stage], plan.rings[run.stage + 1]
    first = stage.first_frame(run.first)
    blocks = -(-run.groups // stage.block_groups)
    return words(
        RUN,
        op=Op.RUN,
        layer=layer_at,
        start=ring.at(first + turn[0]) - ring.base,
        frame=first,
        blocks=blocks,
        last_groups=run.groups - (blocks - 1) * stage.block_groups,
        out_start=out.at(run.written[0] + turn[1]),
        frame_words=stage.frame_words,
    )
