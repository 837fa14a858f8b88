"""What the machine will do with a network, from shapes alone: passes, blocks, rings, strips.

The plan is what the lowering writes down and what the cycle model counts. A network layer is one
stage; a maximum over a whole map that comes in several pieces gets a second stage, an identity
layer that takes the maximum of the pieces.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from golden.layer import Layer, Raw, Shape, Threshold
from hw.config import Config
from hw.format import Format
from hw.program import REACH

FIRST_STRIP = 4
"""Frames of the first strip: the machine waits for no more before it begins."""

GROWTH = 4
"""Each strip after that is so many times as long: the next codes come faster than it is done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """One tap of some input channels, or several taps of one: what one tile holds.

    Parameters
    ----------
    frame
        Tap along the frames, the first where several stand side by side.
    band
        First band read for the first output band; negative in the padding.
    offset
        Words from the frame's first word to that read.
    reads
        Reads per frame.
    warm
        Reads before the first pixel.
    plane
        First bit-plane in the lanes (code memory only).
    shift
        0, 1, or 2 for as many bits as there are groups, see `hw.program.PASS`.
    inputs
        int ``[lanes, 3]``: channel, kh and kw of every lane; -1 where it is not used.
    """

    frame: int
    band: int
    offset: int
    reads: int
    warm: int
    plane: int
    shift: int
    inputs: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One layer on the machine.

    Parameters
    ----------
    config
        The machine.
    layer
        The layer, or the identity that gathers the pieces of the layer before.
    number
        Which layer of the network it belongs to.
    shape
        Its input, ``[channel, band, frame]``.
    from_codes
        It reads the code memory.
    gathers
        It takes the maximum over the pieces of the stage before, once all are there.
    frame_by_frame
        It takes a maximum over each frame of its map, not over the whole.
    """

    config: Config
    layer: Layer
    number: int
    shape: Shape
    from_codes: bool
    gathers: bool = False
    frame_by_frame: bool = False

    @cached_property
    def map_shape(self) -> Shape:
        """The map before pooling."""
        return self.layer.map_shape(self.shape)

    @cached_property
    def pooled(self) -> bool:
        """Whether a 2x2 maximum follows."""
        return self.layer.pool == "max2x2"

    @cached_property
    def whole(self) -> bool:
        """Whether one maximum of all pixels follows."""
        return self.layer.pool == "global"

    @cached_property
    def bands(self) -> int:
        """Bands of the map that are computed: an odd edge that pooling drops is not."""
        return self.map_shape[1] // 2 * 2 if self.pooled else self.map_shape[1]

    @cached_property
    def groups(self) -> int:
        """Frames of the map, or pairs of frames where pooled."""
        return self.map_shape[2] // 2 if self.pooled else self.map_shape[2]

    @cached_property
    def group_pixels(self) -> int:
        """Pixels of one group."""
        return self.bands * (2 if self.pooled else 1)

    @cached_property
    def planes(self) -> int:
        """Bit-planes of one output, or bytes where lanes take whole codes."""
        end = self.layer.end
        bits = self.config.acc_bits if isinstance(end, Raw) else end.output_bits
        return -(-bits // self.config.act_bits)

    @cached_property
    def steps(self) -> int:
        """Cycles that one output takes to leave, one at least."""
        if self.config.act_bits > 1:
            return self.planes + isinstance(self.layer.end, Raw)
        return max(self.shifts, self.planes)

    @cached_property
    def shifts(self) -> int:
        """How many of them shift, the last ones."""
        end = self.layer.end
        if isinstance(end, Threshold):
            return 0
        if self.config.act_bits > 1 or isinstance(end, Raw):
            return self.planes
        return max(0, self.config.acc_bits - end.shift)

    @cached_property
    def output(self) -> Format:
        """How its output stands in the map memory."""
        return Format(config=self.config, channels=self.layer.out_channels, planes=self.planes)

    @cached_property
    def pixel_words(self) -> int:
        """Words of one input pixel in its memory."""
        if self.from_codes:
            return self.shape[0]
        return self._input.pixel_words

    @cached_property
    def frame_words(self) -> int:
        """Words of one input frame.

        Where several frames of codes are read at once, so many that a code and its neighbours in
        the next frames stand in neighbouring banks.
        """
        words = self.pixel_words * self.shape[1]
        return words + (1 - words) % self.config.code_banks if self.from_codes else words

    @cached_property
    def frame_inc(self) -> int:
        """Input frames from group to group."""
        return self.layer.stride[1] * (2 if self.pooled else 1)

    @cached_property
    def block_groups(self) -> int:
        """Groups of one block."""
        if self.frame_by_frame:
            return 1
        depth = self.config.partial_sums if len(self.passes) > 1 else REACH - 1
        return min(depth // self.group_pixels, self.groups)

    @cached_property
    def least_groups(self) -> int:
        """Groups of one run, but for the last: with two tables a cell a shorter pass would wait.

        Its tile takes longer than its pixels.
        """
        if not self.config.cell_class.buffered:
            return 1
        return -(-self.config.cells * self.config.cell_class.entries // self.group_pixels)

    @cached_property
    def passes(self) -> tuple[Pass, ...]:
        """The passes of one tile of output channels, in order."""
        return tuple(self._code_passes() if self.from_codes else self._map_passes())

    @cached_property
    def _input(self) -> Format:
        return Format(
            config=self.config,
            channels=self.shape[0],
            planes=-(-self.layer.input_bits // self.config.act_bits),
        )

    def _code_passes(self) -> list[Pass]:
        """Several planes side by side; as many taps along the bands and frames as go in a group."""
        config, layer = self.config, self.layer
        (height, width), channels = layer.kernel, self.shape[0]
        slots = config.code_taps
        passes = []
        words = -(-layer.input_bits // (config.groups * config.act_bits))
        for word in reversed(range(words)):
            begins = word < words - 1
            for frame in range(0, width, config.code_frames):
                frames = range(frame, min(frame + config.code_frames, width))
                for channel in range(channels):
                    for first in range(0, height, slots):
                        taps = min(slots, height - first)
                        inputs = np.full((config.lanes, 3), -1, np.int64)
                        for (j, each), k in product(enumerate(frames), range(taps)):
                            at = (channel, first + taps - 1 - k, each)
                            inputs[j * slots + k :: config.group_lanes] = at
                        band = first - layer.padding[0]
                        passes.append(
                            Pass(
                                frame=frame,
                                band=band,
                                offset=band * channels + channel,
                                reads=(self.bands - 1) * layer.stride[0] + taps,
                                warm=taps - 1,
                                plane=word * config.groups,
                                shift=min(2, config.groups) if begins else 0,
                                inputs=inputs,
                            ),
                        )
                        begins = False
        return passes

    def _map_passes(self) -> list[Pass]:
        """Plane after plane; as many channels as there are lanes."""
        layer, words = self.layer, self._input.channels_by_word
        passes = []
        planes = self._input.planes
        for plane in reversed(range(planes)):
            begins = plane < planes - 1
            for frame in range(layer.kernel[1]):
                for tap in range(layer.kernel[0]):
                    for (row, word), channels in words.items():
                        inputs = np.full((self.config.lanes, 3), -1, np.int64)
                        for lane, channel in channels.items():
                            inputs[lane] = channel, tap, frame
                        band = tap - layer.padding[0]
                        passes.append(
                            Pass(
                                frame=frame,
                                band=band,
                                offset=band * self.pixel_words
                                + self._input.word(row, plane, word),
                                reads=self.bands,
                                warm=0,
                                plane=0,
                                shift=1 if begins else 0,
                                inputs=inputs,
                            ),
                        )
                        begins = False
        return passes

    @cached_property
    def plane_passes(self) -> int:
        """Passes of one bit-plane (or of those that stand side by side); all have its weights."""
        side_by_side = self.config.act_bits * (self.config.groups if self.from_codes else 1)
        return len(self.passes) // -(-self.layer.input_bits // side_by_side)

    @cached_property
    def weight_rows(self) -> int:
        """Rows of its weights, offsets and flips."""
        per_tile = self.plane_passes * self.config.lanes + self.config.parameter_rows
        return self.output.tiles * per_tile

    def first_frame(self, group: int) -> int:
        """First input frame of an output group; negative in the padding."""
        return group * self.frame_inc - self.layer.padding[1]

    def groups_of(self, frames: int) -> int:
        """Groups that can be computed once so many input frames are there."""
        if frames >= self.shape[2] or self.gathers:
            return self.groups if frames >= self.shape[2] else 0
        kernel, stride, pad = self.layer.kernel[1], self.layer.stride[1], self.layer.padding[1]
        ready = max(0, (frames + pad - kernel) // stride + 1)
        return min(self.groups, ready // 2 if self.pooled else ready)
