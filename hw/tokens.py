"""What travels right through the columns, one column a cycle, beside the bits.

All control of the array is such a token: no net but clock and reset reaches every column.
"""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data

from hw.config import Config


def load_token(config: Config) -> data.StructLayout:
    """Read one weight row into the waiting weights (or, with `param`, the waiting offset)."""
    return data.StructLayout({"read": 1, "param": 1, "addr": _address(config.weight_rows)})


def write_token(config: Config) -> data.StructLayout:
    """Write one weight of one row; `column` counts down to the column that takes it."""
    return data.StructLayout(
        {
            "valid": 1,
            "column": _address(config.columns),
            "addr": _address(config.weight_rows),
            "data": 8,
        },
    )


def sum_token(config: Config) -> data.StructLayout:
    """What to do with the sum of one pixel.

    `addr` is its partial sum, `first` starts it at zero, `shift` moves it left by 0 bits, 1 bit
    or (2) as many bits as there are groups before this sum is added, `last` sends it on to its end
    instead of back to memory; `take` (alone, no pixel) puts the waiting offset to use;
    `pool_first` and `pool_last` frame the pixels of which the greatest is kept.
    """
    return data.StructLayout(
        {
            "valid": 1,
            "first": 1,
            "last": 1,
            "take": 1,
            "shift": 2,
            "pool_first": 1,
            "pool_last": 1,
            "addr": _address(config.partial_sums),
        },
    )


def end_token() -> data.StructLayout:
    """One step of an output on its way out, and what ends with it.

    `load` takes the pooled sum, `shift` halves it, `clip` limits it to the code's range, `out`
    sends its lowest bit; `tile`, `block` and `run` mark the last `out` of each.
    """
    return data.StructLayout(
        {"load": 1, "shift": 1, "clip": 1, "out": 1, "tile": 1, "block": 1, "run": 1},
    )


def mode_token() -> data.StructLayout:
    """What holds for a whole run; it changes only while the array is empty.

    `codes`: the groups hold bit-planes, each worth twice the one before; `bits`: the end is a
    threshold; `raw`: no clipping; `planes`: bits of an output code.
    """
    return data.StructLayout({"codes": 1, "bits": 1, "raw": 1, "planes": 4})


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
