"""cocotb test of the array alone, fed by the files that `bambino vectors` writes.

Every layer of bits is cut into tiles of lanes x columns; the test plays the walker and the loader
by a table of cycles. Environment as for `sim.accelerator_tests`.
"""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from amaranth.lib import data
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from golden.layer import Layer, Raw, Requantise, Threshold
from golden.vectors import read_vectors
from hw.array import token_delay
from hw.column import end_delay, sum_latency
from hw.config import Config
from hw.fill import walk
from hw.fit import offsets
from hw.loader import lead, parameter_wait
from hw.tokens import end_token, load_token, mode_token, sum_token, write_token
from hw.walk_reads import ENTRY_DELAY
from hw.words import bits_for

Bits = NDArray[np.uint8]

SETTINGS = json.loads(os.environ.get("BAMBINO_TEST", "{}"))
MOST_PIXELS = 96
"""Pixels of a layer that are played at most."""


def pack(layout: data.StructLayout, **values: int) -> int:
    """Return the bits of `layout` with `values`, as a number."""
    return int(layout.const(values).as_value().value)


def windows(layer: Layer, given: Bits) -> tuple[Bits, int]:
    """Return ``[output, pixel of its maximum, tap]`` bits in output order, and the taps."""
    (ph, pw), (sh, sw) = layer.padding, layer.stride
    padded = np.pad(given, ((0, 0), (ph, ph), (pw, pw)))
    taps = sliding_window_view(padded, layer.kernel, axis=(1, 2))[:, ::sh, ::sw]
    taps = taps.transpose(1, 2, 0, 3, 4)  # [band, frame, in, kh, kw]
    bands, frames = taps.shape[:2]
    n, m = {"none": (1, 1), "max2x2": (2, 2), "global": (bands, frames)}[layer.pool]
    taps = taps[: bands // n * n, : frames // m * m].reshape(bands // n, n, frames // m, m, -1)
    taps = taps.transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(taps.reshape(-1, n * m, taps.shape[-1])), taps.shape[-1]


class Plan:
    """What enters the array in which cycle."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.now = 0
        self.inputs: dict[int, dict[str, int]] = defaultdict(dict)
        self._delay = token_delay(config) + end_delay(config)
        self._settle = sum_latency(config) + config.columns + 8

    def at(self, cycle: int, **values: int) -> None:
        """Let `values` enter in `cycle`."""
        self.inputs[cycle].update(values)

    def write(self, rows: NDArray[np.int8]) -> None:
        """Write weight rows ``[row, column]``."""
        for (row, column), weight in np.ndenumerate(rows):
            token = pack(
                write_token(self.config), valid=1, first=column == 0, addr=row,
                data=int(weight) & 255,
            )
            self.at(self.now, write=token)
            self.now += 1
        self.now += self._settle

    def read(self, **token: int) -> None:
        """Read a weight row."""
        self.at(self.now, load=pack(load_token(self.config), read=1, **token))
        self.now += 1

    def load(self, first: int, *, last: bool) -> None:
        """Bring the tile whose rows stand from `first` on, and behind the last offset and flip.

        The first pixel may enter then.
        """
        config, cell = self.config, self.config.cell_class
        begin = self.now
        for number in range(config.cells):
            at, is_first = first + number * cell.lanes, number == 0
            if cell.entries == 1:
                self.read(addr=at, first=is_first)
                continue
            for step, (lane, entry, subtract) in enumerate(walk(bits_for(cell.entries - 1))):
                self.read(
                    addr=at + lane, first=is_first, next=step == 0, entry=entry, subtract=subtract,
                )
        if last:
            self.now += parameter_wait(config) + 1
            for row in range(config.parameter_rows):
                self.read(addr=first + config.lanes + row, param=1)
        self.now = begin + lead(config, last=last) + 1 + ENTRY_DELAY

    def pixel(self, bits: Bits, **token: int) -> int:
        """Let one pixel enter; return its cycle."""
        lanes = sum(int(bit) << k for k, bit in enumerate(bits))
        self.at(self.now, acts=lanes, token=pack(sum_token(self.config), valid=1, **token))
        self.now += 1
        return self.now - 1

    def leave(self, entered: int, shift: int, planes: int, *, bits: bool) -> None:
        """Send the output that ended with the pixel of cycle `entered` on its way out."""
        shifts = 0 if bits else max(0, self.config.acc_bits - shift)
        steps = max(shifts, planes)
        load = entered + self._delay
        names = {load: {"load"}}
        for left in range(1, steps + 1):
            names[load + 1 + steps - left] = {
                name for name, since in (("out", planes), ("shift", shifts)) if left <= since
            }
        for cycle, chosen in names.items():  # one output's last step may meet the next one's load
            before = self.inputs[cycle].get("step", 0)
            self.at(cycle, step=before | pack(end_token(), **dict.fromkeys(chosen, 1)))
        self.now = max(self.now, entered + steps)

    def drain(self) -> None:
        """Let everything leave."""
        self.now += self._settle + self._delay


def tile(plan: Plan, layer: Layer, taps: Bits, first: int) -> None:
    """Plan the outputs of the channels from `first` on, for ``[output, pixel, tap]`` bits."""
    config, out = plan.config, layer.out_channels
    width = min(config.columns, out - first)
    flat = layer.weights.reshape(out, -1)[first : first + width]
    passes = -(-taps.shape[2] // config.lanes)
    kernel = np.zeros((passes * config.lanes, config.columns), np.int8)
    kernel[: flat.shape[1], :width] = flat.T
    bits = np.zeros((*taps.shape[:2], passes * config.lanes), np.uint8)
    bits[..., : taps.shape[2]] = taps
    ends = np.zeros((config.parameter_rows, config.columns), np.uint8)
    for column, offset in enumerate(offsets(layer)[first : first + width]):
        value = offset & ((1 << config.acc_bits) - 1)
        if isinstance(layer.end, Threshold) and layer.end.flip[first + column]:
            value |= 1 << config.acc_bits
        ends[:, column] = list(value.to_bytes(config.parameter_rows, "little"))
    plan.write(np.concatenate([kernel, ends.view(np.int8)]))
    end = layer.end
    shift = end.shift if isinstance(end, Requantise) else 0
    planes = config.acc_bits if isinstance(end, Raw) else end.output_bits
    for p in range(passes):
        last = p == passes - 1
        plan.load(p * config.lanes, last=last)
        for output, pixels in enumerate(bits):
            for k, pixel in enumerate(pixels):
                entered = plan.pixel(
                    pixel[p * config.lanes : (p + 1) * config.lanes],
                    first=p == 0,
                    last=last,
                    pool_first=k == 0,
                    addr=output * len(pixels) + k,
                )
            if last:
                plan.leave(entered, shift, planes, bits=isinstance(end, Threshold))
        plan.drain()


async def play(dut: Any, plan: Plan) -> list[int]:
    """Play the table; return the array's bits of each `out` step."""
    names = ("acts", "token", "load", "write", "step")
    handles = {name: getattr(dut, name) for name in names}
    held = dict.fromkeys(names, 0)
    seen = []
    is_out = pack(end_token(), out=1)
    for cycle in range(plan.now + 1):
        wanted = {**dict.fromkeys(names, 0), **plan.inputs.get(cycle, {})}
        for name, value in wanted.items():
            if value != held[name]:
                handles[name].value = value
                held[name] = value
        await FallingEdge(dut.clk)
        if int(dut.o_step.value) & is_out:
            seen.append(int(dut.o_bits.value))
    return seen


def values(seen: list[int], layer: Layer, columns: int, acc_bits: int) -> NDArray[np.int64]:
    """Return ``[output, column]`` from the bits, plane by plane."""
    raw = isinstance(layer.end, Raw)
    planes = acc_bits if raw else layer.end.output_bits
    bits = np.array([[word >> j & 1 for j in range(columns)] for word in seen], np.int64)
    weight = 1 << np.arange(planes, dtype=np.int64)[::-1]  # the highest leaves first
    if raw:
        weight[0] = -weight[0]
    total: NDArray[np.int64] = (bits.reshape(-1, planes, columns) * weight[:, None]).sum(1)
    return total


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def layers_of_bits(dut: Any) -> None:
    """Each layer of bits in the files: its input's windows go in, its output must come out."""
    config = Config(**SETTINGS["config"])
    for name in ("acts", "token", "load", "write", "step", "mode"):
        getattr(dut, name).value = 0
    Clock(dut.clk, 10, "ns").start(start_high=False)
    dut.rst.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    played = 0
    for folder in SETTINGS["folders"]:
        found = read_vectors(Path(folder), verify=False)
        for layer, file in zip(found.network.layers, found.layers, strict=True):
            taps, _ = windows(layer, file.input)
            most = min(MOST_PIXELS, config.partial_sums) // taps.shape[1]
            if layer.input_bits > 1 or most == 0:
                continue
            expected = file.output.reshape(layer.out_channels, -1).T[:most]
            dut.mode.value = pack(
                mode_token(), bits=isinstance(layer.end, Threshold),
                raw=isinstance(layer.end, Raw),
            )
            for first in range(0, layer.out_channels, config.columns):
                plan = Plan(config)
                tile(plan, layer, taps[:most], first)
                got = values(await play(dut, plan), layer, config.columns, config.acc_bits)
                want = expected[:, first : first + config.columns]
                differs = np.argwhere(got[:, : want.shape[1]] != want)
                assert not len(differs), (
                    f"layer {layer.name}, output {differs[0][0]}, channel {first + differs[0][1]}:"
                    f" expected {want[tuple(differs[0])]}, got {got[tuple(differs[0])]}"
                )
                played += 1
    assert played, "the files must hold a layer of bits"
