"""Test lists: scenes and labels as lines of JSON, so that figures are of the same clips."""

import json
from dataclasses import dataclass
from pathlib import Path

from golden.experiment import scene as scenes
from golden.experiment.render import render
from golden.experiment.scene import Scene
from golden.experiment.store import Split, Store
from golden.files import write_whole
from golden.mixing import Samples

TEST_LIST = Path(__file__).parent.parent / "weights" / "experiment.jsonl"
"""The committed test list."""

Listed = list[tuple[Scene, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class TestScene:
    """One line of a list, for `golden.evaluate`: what to render, and its wide-band PESQ."""

    __test__ = False  # not a class of tests, whatever pytest makes of its name

    scene: Scene
    pesq: float

    def clip(self, data: Path) -> Samples:
        """Render the scene from the recordings in `data`, float32 ``[sample]`` at 16 kHz."""
        return render(data, self.scene)[1]


def read(path: Path) -> dict[Split, Listed]:
    """Read the scenes and labels of a test list, a line of JSON each, by split.

    Raises
    ------
    ValueError, FileNotFoundError
        There is no such file, or it holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: the test list must be an existing file")
    lists: dict[Split, Listed] = {"known": [], "unseen_kinds": []}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            values = json.loads(line)
            lists[values["set"]].append((scenes.parse(values["scene"]), float(values["pesq"])))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: line {number} must be a labelled scene: {error}") from None
    if not all(lists.values()):
        raise ValueError(f"{path}: the test list must hold both sets, known and unseen_kinds")
    return lists


def write(cache: Path, counts: dict[Split, int], path: Path) -> None:
    """Write the test list of a cache, for `read`."""
    lines = [
        json.dumps(
            {"set": split, "pesq": row.pesq, "scene": json.loads(row.scene.line())},
            separators=(",", ":"),
        )
        for split in ("known", "unseen_kinds")
        for row in Store(cache, split).rows(counts[split])
    ]
    write_whole(path, ("\n".join(lines) + "\n").encode())
