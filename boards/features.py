"""What a machine is made of, in numbers that its look-up tables and registers grow with.

They count bits as the sources have them, so that a coefficient near 1 is what to expect; what a
cell takes besides, what a column does, and what stands in every machine is for the fit to find.
"""

from boards.blocks import memories, muxed_bits
from boards.compare.job import Target
from hw.array import token_delay
from hw.config import Config
from hw.end_steps import ENDS
from hw.tokens import end_token, load_token, mode_token, sum_token, write_token

Features = dict[str, float]


def features(config: Config, target: Target, quantity: str) -> Features:
    """Return what look-up tables, or registers, are spent on: name and number."""
    columns = config.columns
    registers = {"bits of registers": _registers(config)}
    logic = {"bits of adders and multiplexers": _logic(config, target)}
    found = {
        f"{config.cell} cells": config.cells * columns,
        "columns": columns,
        "columns of whole codes": columns * (config.act_bits > 1),
        "bits of the lanes": config.word_bits,
        "further frames of codes": config.code_frames - 1,
        "machine": 1,
    }
    if quantity == "ff":
        found |= registers
    elif target == "ice40":  # a register without logic takes a logic cell, too
        found |= registers | logic
    else:
        found |= logic
    return {name: float(number) for name, number in found.items()}


def _registers(config: Config) -> int:
    """Bits of the array's registers, but for those inside cells and of control."""
    load, write = int(load_token(config).size), int(write_token(config).size)
    total, mode, end = int(sum_token(config).size), int(mode_token().size), int(end_token().size)
    moved = config.word_bits + load + write + total + mode + end  # nobody reads the last column's
    column = (
        load  # of the memory's read
        + 3 * total  # beside the accumulation
        + 8 * config.parameter_rows
        + config.acc_bits * (5 if _pools(config) else 3 if config.act_bits == 1 else 4)
        + sum(config.sum_widths)
    )
    if config.compact:  # one copy of what goes along with a sum; the rest waits in memories
        column = 8 * config.parameter_rows + sum(config.sum_widths)
        column += config.acc_bits * (4 if _pools(config) else 2 if config.act_bits == 1 else 3)
    span = config.cell_class.lanes
    skew = sum(lane // span for lane in range(config.lanes))
    deskew = config.columns * (config.columns - 1) // 2
    if config.compact:
        return (
            column * config.columns + config.act_bits * skew + 2 * _taps(config)
            + load + 2 * total
        )
    return (
        moved * (config.columns - 1)
        + column * config.columns
        + config.act_bits * (skew + deskew)
        + 2 * _taps(config)
        + token_delay(config) * (total + int(ENDS.size))
    )


def _logic(config: Config, target: Target) -> int:
    """Bits of adders, of comparisons, and of multiplexers with two inputs."""
    shifted = 1 < config.groups < 8  # partial sums move by the groups' number, or by one
    # The carry chains of ECP5 also shift the total, where no maximum of codes stands between.
    end = 3 if config.act_bits > 1 else 4 if _pools(config) else 1 + (target == "ice40")
    shared = config.single_port * (config.weight_rows - 1).bit_length()  # the port's address
    column = (
        shared * (not config.compact)
        + sum(config.sum_widths)
        + _doubled(config, target)
        + config.acc_bits * (1 + shifted + end)
    )
    ranges = sum(muxed_bits(memory, target) for memory in memories(config))
    rows = (config.row_words - 1) * config.word_bits
    return column * config.columns + ranges + rows + _taps(config) + shared * config.compact


def _taps(config: Config) -> int:
    """Bits of the codes that the window keeps, of as many bit-planes as stand side by side."""
    return config.code_frames * (config.code_taps - 1) * config.groups * config.act_bits


def _doubled(config: Config, target: Target) -> int:
    """Bits that one column's cells choose before they add, where a group's sum may be doubled."""
    widths = config.sum_widths[config.group_cells :: config.group_cells]
    if target == "ice40" or config.cell == "gated":
        return sum(widths)
    # The carry chains of ECP5 take the choice in; beside it a folded cell gates its weight.
    return 8 * len(widths) if config.cell == "folded" else 0


def _pools(config: Config) -> bool:
    """Whether the ends keep the greatest of sums."""
    return config.act_bits == 1 and config.pool_codes
