"""The committed test list: which mixes every figure of the project is measured on."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden import data, mixing

PATH = Path(__file__).parent / "weights" / "testlist.csv"
SEED = 5
COLUMNS = ("speech", "speech_offset", "noise", "noise_offset", "snr_db", "level_db", "pesq")


@dataclass(frozen=True, kw_only=True, slots=True)
class TestMix:
    """One line of the list: what to mix and the label that was measured on it.

    Parameters
    ----------
    recipe
        The mix: one speech file, one noise file, no room.
    pesq
        Wide-band PESQ of the mix against its dry speech.
    """

    __test__ = False  # not a class of tests, whatever pytest makes of its name

    recipe: mixing.Recipe
    pesq: float

    def clip(self, data: Path) -> mixing.Samples:
        """Make the mix from the recordings in `data`, float32 ``[sample]`` at 16 kHz."""
        return mixing.mix(data, self.recipe)[1]


def read(path: Path = PATH) -> tuple[TestMix, ...]:
    """Read a test list.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        A column is missing, a value is no number, or the list is empty.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: the test list must be an existing file")
    mixes = []
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{path}: columns must be {', '.join(COLUMNS)}")
        for line, row in enumerate(reader, start=2):
            try:
                recipe = mixing.Recipe(
                    speech=(row["speech"], int(row["speech_offset"])),
                    noises=((row["noise"], int(row["noise_offset"])),),
                    room=None,
                    snr_db=float(row["snr_db"]),
                    level_db=float(row["level_db"]),
                )
                mixes.append(TestMix(recipe=recipe, pesq=float(row["pesq"])))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}: line {line} must hold numbers: {error}") from None
    if not mixes:
        raise ValueError(f"{path}: the test list must hold at least one mix, not none")
    return tuple(mixes)


def make(
    folder: Path,
    path: Path,
    mixes: int,
    label: Callable[[mixing.Samples, mixing.Samples], float],
    seed: int = SEED,
) -> None:
    """Draw a list of `mixes` from the test side of `folder`, label it and write it to `path`.

    The committed list is ``make(folder, PATH, 1200, golden.labels.label)``. Silent windows are
    drawn again; no mix is clean, as every SNR is finite and at most 25 dB.
    """
    recordings = data.split(data.read_manifest(folder))["test"]
    rng = np.random.default_rng(seed)
    beside = path.with_suffix(".tmp")
    with beside.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        written = 0
        while written < mixes:
            recipe = mixing.draw(recordings, rng, babble=0.0, room=0.0)
            try:
                pesq = label(*mixing.mix(folder, recipe))
            except mixing.SilentMixError:
                continue
            (noise,) = recipe.noises
            writer.writerow([
                *recipe.speech, *noise, recipe.snr_db, recipe.level_db, f"{pesq:.4f}",
            ])
            written += 1
    beside.rename(path)
