"""The generator's parameters, their rules and the presets."""

from dataclasses import dataclass, fields
from functools import cached_property

from hw.cell_kinds import CELLS
from hw.cells.cell import Cell
from hw.program import PASS_BITS, TILE_BITS
from hw.words import bits_for, sum_bits

GREATEST = {  # field widths of the program, see `hw.program`
    "columns": 1024,
    "partial_sums": 1 << 16,
    "code_words": 1 << 16,
    "map_words": 1 << 16,
    "weight_rows": 1 << 16,
    "program_words": 1 << 16,
}


MOST_TAPS = 8
"""Taps along the bands that a pass over codes holds at most, by the program's `warm`."""

CODE_RINGS = tuple(1 << bits for bits in range(3, 16))
"""Sizes of the ring of codes where several frames are read at once: it wraps by itself."""

MOST_PADDING = 31
"""Frames of padding that a layer may have on either side."""


class ConfigError(ValueError):
    """A configuration that cannot be built; the message lists every broken rule."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """One machine.

    Parameters
    ----------
    lanes
        Inputs of the array: a multiple of `groups` and, in each group, of a cell's lanes; 1 to
        1024.
    columns
        Output channels that the array sums at once, 1 to 1024.
    groups
        Lane groups whose column sums may be shifted before they meet: so many bit-planes of a
        code stand side by side, each with ``lanes / groups`` taps; 1 to 8, and 1 where a lane
        takes a whole code.
    code_frames
        Neighbouring frames of codes that are read at once, 1 to 4: the lanes of a group are
        shared among them. With more than one, `code_words` is a power of two, 8 to 32768.
    acc_bits
        Width of a partial sum, of a sum and of a raw result, 9 to 32 bits; whole activations.
    strip
        Input frames that the first layer does before the next layer runs, at most.
    code_words
        Depth of the code memory, 8-bit codes.
    map_words
        Depth of the map memory, words of one activation for each lane.
    weight_rows
        Depth of each column's weight memory, 8-bit weights.
    partial_sums
        Depth of each column's partial-sum memory: the longest block, pixels.
    program_words
        Depth of the program memory, 32-bit words.
    cell
        Kind of the cell, a name of `hw.cell_kinds.CELLS`.
    pool_codes
        Whether the columns can take the maximum of codes; that of bits they always can.
    single_port
        Whether the weights stand in memories of one port, which is read or written. The Verilog
        then asks for single-port RAM by name (`ram_style`), so the part must have it: UP5K.
    compact
        Whether registers are spared that only a fast clock or many columns need: all columns see
        a token in the same cycle, fewer stages lie between a step of the walk and the array, and
        what is held back waits in a memory. With `single_port` the program stands in such a
        memory, too.
    """

    lanes: int
    columns: int
    groups: int = 1
    code_frames: int = 1
    acc_bits: int = 24
    strip: int = 16
    code_words: int = 4096
    map_words: int = 2048
    weight_rows: int = 2048
    partial_sums: int = 256
    program_words: int = 1024
    cell: str = "gated"
    pool_codes: bool = True
    single_port: bool = False
    compact: bool = False

    def __post_init__(self) -> None:
        broken = []
        for each in fields(self):
            value = getattr(self, each.name)
            if each.type is int and (isinstance(value, bool) or not isinstance(value, int)):
                raise TypeError(f"{each.name} must be an integer, not {value!r}")
            if each.type is bool and not isinstance(value, bool):
                raise TypeError(f"{each.name} must be true or false, not {value!r}")
        for name, least, greatest in (
            ("lanes", 1, 1024),
            ("groups", 1, 8),
            ("code_frames", 1, 4),
            ("acc_bits", 9, 32),
            ("strip", 1, 1 << 15),
            *((name, 1, greatest) for name, greatest in GREATEST.items()),
        ):
            if not least <= getattr(self, name) <= greatest:
                broken.append(
                    f"{name} must be from {least} to {greatest}, not {getattr(self, name)}",
                )
        if self.cell not in CELLS:
            broken.append(f"cell must be one of {', '.join(CELLS)}, not {self.cell!r}")
        in_range = not broken  # else the rules between parameters have nothing to stand on
        if in_range and self.lanes % self.groups:
            broken.append(f"lanes must be a multiple of groups ({self.groups}), not {self.lanes}")
            in_range = False
        if in_range and self.group_lanes % self.cell_class.lanes:
            broken.append(
                f"lanes of a group must be a multiple of {self.cell_class.lanes}, the lanes of a"
                f" {self.cell} cell, not {self.group_lanes}",
            )
            in_range = False
        if in_range and self.act_bits > 1 and self.groups > 1:
            broken.append(f"groups must be 1 with {self.cell} cells, not {self.groups}")
        if in_range and self.code_frames > self.group_lanes:
            broken.append(
                f"code_frames must be at most {self.group_lanes}, the lanes of a group, not"
                f" {self.code_frames}",
            )
        if in_range and self.code_frames > 1 and self.code_words not in CODE_RINGS:
            broken.append(
                f"code_words must be a power of two from {CODE_RINGS[0]} to {CODE_RINGS[-1]} with"
                f" {self.code_frames} code_frames, not {self.code_words}",
            )
        if in_range and self.cell_class.buffered and not self.compact:
            broken.append(f"compact must be true with {self.cell} cells, not false")
        if in_range and self.acc_bits % self.act_bits:
            broken.append(
                f"acc_bits must be a multiple of {self.act_bits} with {self.cell} cells, not"
                f" {self.acc_bits}",
            )
        if in_range and self.map_words % self.row_words:
            broken.append(
                f"map_words must be a multiple of {self.row_words}, the words of a row, not"
                f" {self.map_words}",
            )
        if in_range and self.acc_bits < self.array_sum_bits:
            broken.append(
                f"acc_bits must be at least {self.array_sum_bits}, what the array's own sums"
                f" take, not {self.acc_bits}",
            )
        if broken:
            raise ConfigError("configuration: " + "; ".join(broken))

    @cached_property
    def group_lanes(self) -> int:
        """Lanes of one group."""
        return self.lanes // self.groups

    @cached_property
    def code_taps(self) -> int:
        """Taps along the bands that a lane group holds of each frame of codes."""
        return min(self.group_lanes // self.code_frames, MOST_TAPS)

    @cached_property
    def code_banks(self) -> int:
        """Banks of the code memory, a power of two: codes read at once stand in different ones."""
        return 1 << bits_for(self.code_frames - 1)

    @cached_property
    def cell_class(self) -> type[Cell]:
        """The cell, as simulators see it."""
        return CELLS[self.cell]

    @cached_property
    def act_bits(self) -> int:
        """Bits of one lane's activation, and of what a column puts out in one cycle."""
        return self.cell_class.act_bits

    @cached_property
    def cells(self) -> int:
        """Cells of one column."""
        return self.lanes // self.cell_class.lanes

    @cached_property
    def group_cells(self) -> int:
        """Cells of one group in a column."""
        return self.cells // self.groups

    @cached_property
    def sum_widths(self) -> tuple[int, ...]:
        """Width of the sum behind every cell of a column, bits.

        The sum doubles from group to group where the groups hold bit-planes.
        """
        terms, widths = 0, []
        for cell in range(self.cells):
            if cell % self.group_cells == 0:
                terms *= 2
            terms += self.cell_class.lanes
            widths.append(sum_bits(terms * (2**self.act_bits - 1)))
        return tuple(widths)

    @cached_property
    def array_sum_bits(self) -> int:
        """Width of what one column of the array puts out, bits."""
        return self.sum_widths[-1]

    @cached_property
    def word_bits(self) -> int:
        """Width of a word of the map memory: one activation for every lane, bits."""
        return self.lanes * self.act_bits

    @cached_property
    def run_bits(self) -> int:
        """Width of the number of frame groups of one run: those of a strip and of padding."""
        return max(8, bits_for(self.strip + 2 * MOST_PADDING))

    @cached_property
    def plane_pass_bits(self) -> int:
        """Width of the number of passes of one bit-plane, each a tile of weights."""
        most = self.weight_rows // self.lanes
        if self.compact:  # each has two words in the program
            most = min(most, self.program_words // 2)
        return min(PASS_BITS, max(1, bits_for(most)))

    @cached_property
    def pass_bits(self) -> int:
        """Width of the number of passes of some output channels: at most 8 bit-planes."""
        listed = max(1, bits_for(self.program_words // 2)) if self.compact else PASS_BITS
        return min(PASS_BITS, self.plane_pass_bits + 3, listed)

    @cached_property
    def tile_bits(self) -> int:
        """Width of the number of tiles of output channels."""
        rows = self.lanes + self.parameter_rows
        return min(TILE_BITS, max(1, bits_for(self.weight_rows // rows)))

    @cached_property
    def map_address_bits(self) -> int:
        """Width of an address of maps."""
        return max(1, bits_for(self.map_words - 1))

    @cached_property
    def address_bits(self) -> int:
        """Width of an address of codes or maps."""
        return max(1, bits_for(max(self.code_words, self.map_words) - 1))

    @cached_property
    def row_words(self) -> int:
        """Words of `lanes` activations in one row of the map memory, a power of two."""
        return 1 << bits_for(-(-self.columns // self.lanes) - 1)

    @cached_property
    def row_chunks(self) -> int:
        """Groups of `columns` channels that share one row of the map memory."""
        return max(1, self.lanes // self.columns)

    @cached_property
    def row_bits(self) -> int:
        """Width of the map memory: only lanes or columns that can be written, bits."""
        return self.row_chunks * self.columns * self.act_bits

    @cached_property
    def parameter_rows(self) -> int:
        """Weight rows that hold one column's offset and flip, least significant byte first."""
        return (self.acc_bits + 1 + 7) // 8

    @cached_property
    def memory_bits(self) -> dict[str, int]:
        """Bits of every memory, by what it holds."""
        return {
            "weights": self.weight_rows * self.columns * 8,
            "codes": self.code_words * 8,
            "maps": self.map_words // self.row_words * self.row_bits,
            "partial_sums": self.partial_sums * self.columns * self.acc_bits,
            "program": self.program_words * 32,
        }
