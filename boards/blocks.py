"""Block RAMs: how many the memories of a machine take, by arithmetic alone.

A memory is cut into blocks by choosing one of the block's aspect ratios, the cheapest: every block
costs, and where the words lie in several ranges of addresses, so do the multiplexers behind them.
This is yosys's rule (`memory_libmap`) with the prices that it states for either family.
"""

from dataclasses import dataclass
from math import ceil

from boards.compare.job import Target
from hw.array import line_delay
from hw.block_memory import slice_bits
from hw.config import Config
from hw.end_steps import ENDS
from hw.tokens import sum_token

MUX_COST = 0.5
"""What yosys reckons for each bit of a multiplexer behind a memory, or of a decoder before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ram:
    """One sort of RAM.

    Parameters
    ----------
    ratios
        Width, bits, and words of each aspect ratio, the narrowest first.
    byte
        Bits that share a write enable, at most; 1 where every bit has its own.
    cost
        Of one of them.
    """

    ratios: tuple[tuple[int, int], ...]
    byte: int
    cost: int


BLOCK: dict[Target, Ram] = {
    "ecp5": Ram(
        ratios=((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512)),
        byte=9, cost=128,
    ),
    "ice40": Ram(ratios=((2, 2048), (4, 1024), (8, 512), (16, 256)), byte=1, cost=64),
}
DISTRIBUTED: dict[Target, Ram] = {
    "ecp5": Ram(ratios=((4, 16),), byte=4, cost=4),
}
"""What takes a small memory in place of blocks."""

SINGLE_PORT_WORDS, SINGLE_PORT_BITS = 1 << 14, 16
"""A single-port RAM of an iCE40 UP5K, wider than a weight is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Memories that are alike.

    Parameters
    ----------
    name
        What they hold.
    words, width
        Of one; bits.
    chunks
        Parts of a word that are written one by one.
    copies
        How many there are.
    always_blocks
        The source asks for block RAM, however small they are.
    """

    name: str
    words: int
    width: int
    chunks: int = 1
    copies: int = 1
    always_blocks: bool = False


def memories(config: Config) -> tuple[Memory, ...]:
    """Return what may stand in block RAM; tables in distributed RAM do not."""
    found = [
        Memory(
            name="codes", words=config.code_words // config.code_banks, width=8,
            copies=config.code_banks,
        ),
        *_pieces(
            "maps", config.map_words // config.row_words, config.row_bits,
            chunks=config.row_chunks,
        ),
    ]
    shared = config.columns if config.compact else 1  # that share one memory of partial sums
    found.append(
        Memory(
            name="partial_sums", words=config.partial_sums, width=shared * config.acc_bits,
            copies=config.columns // shared,
        ),
    )
    if config.compact:
        width = int(sum_token(config).size) + int(ENDS.size)
        found.append(
            Memory(name="delays", words=line_delay(config), width=width, always_blocks=True),
        )
    if not (config.compact and config.single_port):
        found.append(Memory(name="program", words=config.program_words, width=32))
    if not config.single_port:
        found += (
            [weights(config)] if config.compact
            else _pieces("weights", config.weight_rows, 8, copies=config.columns)
        )
    cell = config.cell_class
    if getattr(cell, "ram", "") == "block":
        found.append(
            Memory(
                name="tables", words=cell.entries << cell.buffered, width=cell.data_bits,
                copies=config.cells * config.columns, always_blocks=True,
            ),
        )
    return tuple(found)


def _pieces(
    name: str, words: int, width: int, *, chunks: int = 1, copies: int = 1,
) -> tuple[Memory, ...]:
    """Return a memory as `hw.block_memory` builds it: in one piece, or in narrow ones."""
    bits = slice_bits(words, width)
    if bits == width:
        return (Memory(name=name, words=words, width=width, chunks=chunks, copies=copies),)
    whole, left = divmod(width // chunks, bits)
    found = Memory(name=name, words=words, width=bits, copies=copies * chunks * whole)
    rest = Memory(name=name, words=words, width=max(1, left), copies=copies * chunks)
    return tuple(each for each, wanted in ((found, whole), (rest, left)) if wanted)


def weights(config: Config) -> Memory:
    """Return the memories of the weights."""
    shared = config.columns if config.compact else 1
    return Memory(
        name="weights", words=config.weight_rows, width=8 * shared,
        copies=config.columns // shared,
    )


def single_port_rams(config: Config) -> int:
    """Count the single-port RAMs: they hold the weights, in a compact machine the program, too."""
    if not config.single_port:
        return 0
    held = [weights(config)]
    if config.compact:
        held.append(Memory(name="program", words=config.program_words, width=32))
    return sum(
        ceil(each.words / SINGLE_PORT_WORDS) * ceil(each.width / SINGLE_PORT_BITS) * each.copies
        for each in held
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """How one memory is built of RAMs.

    Parameters
    ----------
    rams
        How many.
    muxed
        Bits of multiplexers and decoders around them.
    cost
        What the tools reckon for all of it.
    """

    rams: int
    muxed: int
    cost: float


def block_rams(memory: Memory, target: Target) -> int:
    """Count the block RAMs of `memory`, all copies; 0 where something else is cheaper."""
    return _blocks(memory, target).rams * memory.copies


def muxed_bits(memory: Memory, target: Target) -> int:
    """Count the bits of multiplexers and decoders around the block RAMs of `memory`."""
    return _blocks(memory, target).muxed * memory.copies


def _blocks(memory: Memory, target: Target) -> Cut:
    best = _cheapest(memory, BLOCK[target])
    others = [float(memory.words * memory.width)]  # a register each bit
    if target in DISTRIBUTED:
        others.append(_cheapest(memory, DISTRIBUTED[target]).cost)
    if best.cost > min(others) and not memory.always_blocks:
        return Cut(rams=0, muxed=0, cost=min(others))
    return best


def _cheapest(memory: Memory, ram: Ram) -> Cut:
    """Return the cheapest way to build one such memory."""
    found = []
    for width, words in ram.ratios:
        byte = min(ram.byte, width)
        ranges = ceil(memory.words / words)
        padded = memory.chunks * ceil(memory.width / memory.chunks / byte) * byte
        rams = ceil(ranges * padded / width)
        muxed = (ranges - 1) * memory.width + (ranges * memory.chunks if ranges > 1 else 0)
        found.append(Cut(rams=rams, muxed=muxed, cost=ram.cost * rams + MUX_COST * muxed))
    return min(found, key=lambda each: each.cost)
