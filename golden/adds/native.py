"""The compiled kernel behind ctypes: a plan as the structures of ``kernel.h``, and its rooms."""

import ctypes
from collections.abc import Sequence
from dataclasses import astuple
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.adds.plan import CHANNELS, LayerPlan, aligned
from golden.layer import POOLS, Raw, Requantise, Threshold

ISAS = ("portable", "avx2", "avx512")
"""Instruction sets in the kernel's order; each runs where the next one does."""

ENDS = (Threshold, Requantise, Raw)


class Step(ctypes.Structure):
    """``struct Step``."""

    _fields_ = tuple(
        (name, ctypes.c_int32)
        for name in ("plane", "row", "first", "count", "begins", "doubles", "folds")
    )


class Layer(ctypes.Structure):
    """``struct Layer``."""

    _fields_ = (
        *(
            (name, ctypes.c_int32)
            for name in (
                "channels", "bands", "frames", "planes", "in_bytes", "kh", "kw", "sh", "sw", "ph",
                "pw", "rows", "columns", "out_bands", "out_frames", "out_planes", "pool", "end",
                "shift", "top", "tiles", "group_bits", "pixel_groups", "patch_low", "wide",
                "block", "n_steps", "padding",
            )
        ),
        ("steps", ctypes.POINTER(Step)),
        ("tables", ctypes.c_void_p),
        ("bound", ctypes.c_void_p),
    )


class Scratch(ctypes.Structure):
    """``struct Scratch``."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("index", "patches", "narrow", "wide"))


def library(path: Path) -> ctypes.CDLL:
    """Load the kernel.

    Raises
    ------
    OSError
        It is no library, or one of other structures than these.
    """
    loaded = ctypes.CDLL(str(path))
    sizes = ctypes.sizeof(Layer) * 1000 + ctypes.sizeof(Step)
    if loaded.adds_sizes() != sizes:
        raise OSError(f"{path}: the kernel's structures must be of {sizes}, as here")
    loaded.adds_run.restype = None
    loaded.adds_run.argtypes = [
        ctypes.POINTER(Layer), ctypes.c_int, ctypes.c_int, ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(Scratch),
    ]
    return loaded


class Native:
    """One network on the compiled kernel; keeps its rooms, so a call allocates nothing large.

    Parameters
    ----------
    loaded
        The kernel, of `library`.
    isa
        Index into `ISAS`; the processor must have it.
    plans
        Of `golden.adds.plan.plan`.
    """

    def __init__(self, loaded: ctypes.CDLL, isa: int, plans: Sequence[LayerPlan]) -> None:
        self._loaded = loaded
        self._isa = isa
        self._plans = tuple(plans)
        first = plans[0]
        in_bytes = -(-first.layer.in_channels // 8)
        # A patch reads the codes themselves, so their packed form needs no room.
        packed = 0 if first.patch_low else first.layer.input_bits * prod(first.shape[1:]) * in_bytes
        self._maps = [np.zeros(max(1, packed), np.uint8)]
        self._layers = (Layer * len(plans))()
        for layer, p in zip(self._layers, plans, strict=True):
            _fill(layer, p, in_bytes)
            in_bytes = p.tiles * CHANNELS // 8
            _, bands, frames = p.output
            planes = p.layer.end.output_bits  # 32 of a raw result: an int32 a channel
            self._maps.append(np.zeros((planes, bands, frames, in_bytes), np.uint8))
        sums = [CHANNELS * p.map[1] * min(p.block, p.map[0]) for p in plans]
        wide = max((n for n, p in zip(sums, plans, strict=True) if p.wide), default=1)
        self._rooms = (
            aligned(np.zeros(max(p.index_bytes for p in plans) // 2 + 1, np.int16)),
            aligned(np.zeros(8 * first.map[1], np.int16)),
            aligned(np.zeros(max(sums), np.int16)),
            aligned(np.zeros(2 * wide, np.int16)),
        )
        self._scratch = Scratch(*(room.ctypes.data for room in self._rooms))
        self._pointers = (ctypes.c_void_p * len(self._maps))(*(m.ctypes.data for m in self._maps))

    def run(self, codes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Evaluate `codes`, uint8 ``[channel, band, frame]``; return the raw result, a copy."""
        held = np.ascontiguousarray(codes)
        self._loaded.adds_run(
            self._layers, len(self._layers), self._isa, held.ctypes.data, self._pointers,
            ctypes.byref(self._scratch),
        )
        raw = self._maps[-1].view(np.int32).reshape(-1)
        return raw[: self._plans[-1].layer.out_channels].copy()

    def maps(self) -> dict[str, NDArray[np.uint8]]:
        """Unpack the outputs of the last run, uint8 ``[channel, band, frame]`` by layer."""
        found = {}
        for p, packed in zip(self._plans[:-1], self._maps[1:-1], strict=True):
            bits = np.unpackbits(packed, axis=-1, bitorder="little")[..., : p.output[0]]
            code = np.zeros(bits.shape[1:], np.uint8)
            for plane, ones in enumerate(bits):
                code |= ones << plane
            found[p.layer.name] = np.ascontiguousarray(code.transpose(2, 0, 1))
        return found


def _fill(into: Any, p: LayerPlan, in_bytes: int) -> None:
    """Copy what `p` says into a `Layer`; it then points into arrays of `p`, which must live on."""
    layer, end = p.layer, p.layer.end
    into.channels, into.bands, into.frames = p.shape
    into.planes, into.in_bytes = layer.input_bits, in_bytes
    (into.kh, into.kw), (into.sh, into.sw), (into.ph, into.pw) = (
        layer.kernel, layer.stride, layer.padding,
    )
    into.rows, into.columns = p.map
    _, into.out_bands, into.out_frames = p.output
    into.out_planes = end.output_bits
    into.pool = POOLS.index(layer.pool)
    into.end = ENDS.index(type(end))
    if isinstance(end, Requantise):
        into.shift, into.top = end.shift, 2**end.bits - 1
    into.tiles, into.group_bits, into.pixel_groups = p.tiles, p.group_bits, p.pixel_groups
    into.patch_low, into.wide, into.block = p.patch_low, p.wide, p.block
    into.n_steps = len(p.steps)
    into.steps = (Step * len(p.steps))(*(Step(*astuple(step)) for step in p.steps))
    into.tables, into.bound = p.tables.ctypes.data, p.bound.ctypes.data
