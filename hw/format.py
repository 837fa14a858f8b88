"""Where the pixels of a map stand in the map memory."""

from dataclasses import dataclass
from functools import cached_property

from hw.config import Config


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """A map's place: so many frames from `base` on; frame f stands in slot ``f mod frames``.

    With `spare` words behind the last slot the frames do not come back to the same slots, but run
    round the whole ring, one behind the other.
    """

    base: int
    frames: int
    frame_words: int
    spare: int = 0

    @property
    def size(self) -> int:
        """Words of the ring."""
        return self.frames * self.frame_words + self.spare

    @property
    def end(self) -> int:
        """First word behind the ring."""
        return self.base + self.size

    def at(self, frame: int) -> int:
        """First word of `frame`."""
        return self.base + frame * self.frame_words % self.size


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the pixels of a map with so many channels and planes stand in the map memory."""

    config: Config
    channels: int
    planes: int

    @cached_property
    def tiles(self) -> int:
        """Chunks of `columns` channels."""
        return -(-self.channels // self.config.columns)

    @cached_property
    def rows(self) -> int:
        """Rows of one plane of a pixel."""
        return -(-self.tiles // self.config.row_chunks)

    @cached_property
    def pixel_words(self) -> int:
        """Words from pixel to pixel."""
        return self.rows * self.planes * self.config.row_words

    def place(self, channel: int) -> tuple[int, int, int]:
        """Row, word and lane of a channel."""
        tile, column = divmod(channel, self.config.columns)
        row, chunk = divmod(tile, self.config.row_chunks)
        word, lane = divmod(chunk * self.config.columns + column, self.config.lanes)
        return row, word, lane

    def word(self, row: int, plane: int, word: int) -> int:
        """Word within the pixel."""
        return (row * self.planes + plane) * self.config.row_words + word

    @cached_property
    def channels_by_word(self) -> dict[tuple[int, int], dict[int, int]]:
        """Channel by lane, for every row and word that holds any."""
        words: dict[tuple[int, int], dict[int, int]] = {}
        for channel in range(self.channels):
            row, word, lane = self.place(channel)
            words.setdefault((row, word), {})[lane] = channel
        return words
