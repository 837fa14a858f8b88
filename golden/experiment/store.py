"""Labelled clips on disk: rows of JSON that say what they are, and one array of features a split.

A cache folder holds ``SPLIT/NNNNN.jsonl``, `SHARD` rows each, and ``SPLIT.u8`` (training) or
``SPLIT.f32``: log-mel spectrograms row after row, without a header, to be mapped into memory.
Features are written first, rows then renamed into place: a row that is there is whole. Rows are
small and enough to make the features again, as on a machine that they were not copied to: a
row's checksum tells whether its features are there.
"""

import hashlib
import json
import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from golden.experiment.scene import Scene, parse
from golden.files import write_whole
from golden.heads import PESQ

SHARD = 64
BANDS, FRAMES = 120, 249
SPLITS = ("train", "valid", "known", "unseen_kinds")
STORED_LEVEL_DB = -25.0

LOWEST, STEP = -20.75, 0.12
"""Log-mel value of code 0 of ``u8`` features, just above ln(1e-9), and that of one code, nepers."""

Split = Literal["train", "valid", "known", "unseen_kinds"]
Features = NDArray[np.uint8] | NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One labelled clip.

    Parameters
    ----------
    id
        Split and number.
    scene
        What it is made of.
    pesq
        Wide-band PESQ.
    crc
        Checksum of its features.
    failed
        Reasons for which earlier draws of this number were thrown away.
    dnsmos
        What DNSMOS P.808 thinks of it; None where nobody has asked.
    """

    id: str
    scene: Scene
    pesq: float
    crc: int
    failed: tuple[str, ...] = ()
    dnsmos: float | None = None

    def label(self, name: str) -> float:
        """Label by its name in `golden.heads`; NaN where it is missing."""
        value = self.pesq if name == PESQ else self.dnsmos
        return math.nan if value is None else value


def compress(log_mel: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Codes of log-mel values at `STORED_LEVEL_DB`, 0.12 nepers (0.5 dB) apart."""
    codes: NDArray[np.uint8] = np.rint((log_mel - LOWEST) / STEP).clip(0, 255).astype(np.uint8)
    return codes


class Store:
    """One split of a cache.

    Parameters
    ----------
    cache
        The cache folder.
    split
        ``train`` holds uint8, the others float32.
    """

    def __init__(self, cache: Path, split: Split) -> None:
        self.folder, self.split = cache / split, split
        self.dtype = np.dtype(np.uint8 if split == "train" else np.float32)
        self.array = cache / f"{split}.{'u8' if split == 'train' else 'f32'}"

    def path(self, number: int) -> Path:
        """Where the rows of shard `number` lie."""
        return self.folder / f"{number:05d}.jsonl"

    def write(self, number: int, rows: list[Row], features: Features | None) -> None:
        """Write the shard `number`: features, if given, then rows.

        Raises
        ------
        OSError
            The disk is full, or what must be a folder is none. No rows are left then.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if features is not None:
            whole = np.ascontiguousarray(features, self.dtype).tobytes()
            file = os.open(self.array, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                at, end = number * SHARD * self._row_bytes, len(whole)
                done = 0
                while done < end:  # a write may be short, as on a disk that is nearly full
                    done += os.pwrite(file, whole[done:], at + done)
            except OSError as error:
                raise OSError(error.errno, os.strerror(error.errno or 0), self.array) from None
            finally:
                os.close(file)
        text = "".join(
            json.dumps({
                "id": row.id, "pesq": row.pesq,
                **({} if row.dnsmos is None else {"dnsmos": row.dnsmos}),
                "crc": row.crc, "failed": row.failed, "scene": json.loads(row.scene.line()),
            }, separators=(",", ":")) + "\n"
            for row in rows
        )
        write_whole(self.path(number), text.encode())

    @property
    def _row_bytes(self) -> int:
        return BANDS * FRAMES * self.dtype.itemsize

    def shard(self, number: int) -> list[Row] | None:
        """Rows of shard `number`, or None where it is not there.

        Raises
        ------
        ValueError
            The file holds something else.
        """
        path = self.path(number)
        if not path.is_file():
            return None
        try:
            return [_row(json.loads(line)) for line in path.read_text().splitlines()]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: must hold labelled clips: {error}") from None

    def rows(self, count: int) -> list[Row]:
        """Give the first `count` rows.

        Raises
        ------
        ValueError
            They are not all there.
        """
        found: list[Row] = []
        for number in range(-(-count // SHARD)):
            found.extend(self.shard(number) or [])
        if len(found) < count:
            raise ValueError(f"{self.folder}: rows must be at least {count}, not {len(found)}")
        return found[:count]

    def features(self, count: int) -> Features:
        """Map the first `count` features, ``[clip, band, frame]``, not to be written to."""
        if not count:
            return np.zeros((0, BANDS, FRAMES), self.dtype)
        mapped: Features = np.memmap(
            self.array, self.dtype, "c", shape=(count, BANDS, FRAMES),
        )
        return mapped

    def whole(self, number: int, rows: list[Row]) -> bool:
        """Whether the features of shard `number` are those that its rows tell of."""
        if not self.array.is_file():
            return False
        with self.array.open("rb") as file:
            file.seek(number * SHARD * self._row_bytes)
            parts = [file.read(self._row_bytes) for _ in rows]
        return all(zlib.crc32(part) == row.crc for part, row in zip(parts, rows, strict=True))

    def available(self) -> int:
        """How many rows lie there without a gap from the first on."""
        number = 0
        while self.path(number).is_file():
            number += 1
        if not number:
            return 0
        last = self.shard(number - 1) or []
        return (number - 1) * SHARD + len(last)


def checksum(features: Features) -> int:
    """Checksum of one clip's features, as `Row` keeps it."""
    return zlib.crc32(np.ascontiguousarray(features).tobytes())


def digest(splits: dict[Split, list[Row]], outputs: Sequence[str] = (PESQ,)) -> str:
    """Sixteen hexadecimal digits that stand for all clips and `outputs` of an experiment."""
    whole = hashlib.sha256()
    for split in sorted(splits):
        for row in splits[split]:
            said = " ".join(str(row.label(name)) for name in outputs)
            whole.update(f"{row.id} {said} {row.scene.line()}\n".encode())
    return whole.hexdigest()[:16]


def _row(values: dict[str, Any]) -> Row:
    return Row(
        id=values["id"], scene=parse(values["scene"]), pesq=float(values["pesq"]),
        crc=int(values["crc"]), failed=tuple(values["failed"]),
        dnsmos=None if values.get("dnsmos") is None else float(values["dnsmos"]),
    )
