"""What travels right through the columns, one column a cycle, beside the bits.

All control of the array is such a token: no net but clock and reset reaches every column.
"""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data

from hw.config import Config


def load_token(config: Config) -> data.StructLayout:
    """Read one weight row, for the cells or (with `param`) for offset and flip.

    `first` marks the row that goes to the first cell of a column. Tables take several steps a cell:
    `next` marks the first of a cell's steps and what comes behind the last cell's, `entry` is what
    a step writes, and with `subtract` the weight leaves the sum; where a table belongs to one lane,
    its weight counts ``2^scale`` times. Of two tables `bank` is read, also without a row.
    """
    fields = {"read": 1, "param": 1, "first": 1, "addr": _address(config.weight_rows)}
    if config.cell_class.entries > 1:
        fields |= {"next": 1, "subtract": 1, "entry": _address(config.cell_class.entries)}
        if config.cell_class.lanes == 1:
            fields["scale"] = 2
        if config.cell_class.buffered:
            fields["bank"] = 1
    return data.StructLayout(fields)


def write_token(config: Config) -> data.StructLayout:
    """Write one weight of one row; the column to which it comes as `first` takes it."""
    return data.StructLayout(
        {"valid": 1, "first": 1, "addr": _address(config.weight_rows), "data": 8},
    )


def sum_token(config: Config) -> data.StructLayout:
    """What to do with the sum of one pixel.

    `addr` is its partial sum, `first` starts it at zero, `shift` moves it left by 0 bits, 1 bit
    or (2) as many bits as there are groups before this sum is added, `last` sends it on to its end
    instead of back to memory; `pool_first` begins the pixels of which the greatest is kept.
    """
    return data.StructLayout(
        {
            "valid": 1,
            "first": 1,
            "last": 1,
            "shift": 2 if 1 < config.groups < 8 else 1,  # 8 groups hold all planes of a code
            "pool_first": 1,
            "addr": _address(config.partial_sums),
        },
    )


def end_token() -> data.StructLayout:
    """One step of an output on its way out, and what ends with it.

    `load` takes the pooled sum, `shift` doubles it, `out` sends its highest bit (or byte); `tile`,
    `block` and `run` mark the last `out` of each.
    """
    return data.StructLayout(
        {"load": 1, "shift": 1, "out": 1, "tile": 1, "block": 1, "run": 1},
    )


def mode_token() -> data.StructLayout:
    """What holds for a whole run; it changes only while the array is empty.

    `codes`: the groups hold bit-planes, each worth half the one before; `bits`: the end is a
    threshold; `raw`: it is neither limited nor shifted; `shift`: low bits that a code drops, heeded
    where an output leaves at once.
    """
    return data.StructLayout({"codes": 1, "bits": 1, "raw": 1, "shift": 5})


def _address(depth: int) -> int:
    return max(1, (depth - 1).bit_length())


def delayed(m: Module, value: Value, cycles: int, name: str) -> Value:
    """Return `value` so many cycles later; one register holds all stages and resets to zero."""
    if cycles == 0:
        return value
    width = len(value)
    stages = Signal(cycles * width, name=f"{name}_stages")
    m.d.sync += stages.eq(Cat(value, stages))
    return stages[-width:]
