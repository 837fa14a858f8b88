"""The manifest of a cache of labelled clips: what it was made of, what is there, what failed."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from golden.experiment.sources import Sources
from golden.experiment.store import SHARD, Split, Store
from golden.files import write_whole

MANIFEST = "manifest.json"


def claim(sources: Sources, cache: Path, seed: int) -> None:
    """Make the cache folder, or refuse one that was made of other recordings or by another seed."""
    path = cache / MANIFEST
    if path.is_file():
        known = json.loads(path.read_text())
        if (known["source"], known["seed"]) != (sources.digest, seed):
            raise ValueError(
                f"{path}: must be of these recordings and seed {seed}, not of others;"
                " give another folder",
            )
    else:
        cache.mkdir(parents=True, exist_ok=True)
        write(sources, cache, {}, seed)


def write(
    sources: Sources, cache: Path, counts: dict[Split, int], seed: int,
) -> dict[str, Any]:
    """Write and return what the cache holds: sides, files skipped, clips, failures by reason."""
    failed: Counter[str] = Counter()
    for split, count in counts.items():
        for number in range(-(-count // SHARD)):
            for row in Store(cache, split).shard(number) or []:
                failed.update(row.failed)
    manifest = {
        "schema": 1,
        "seed": seed,
        "source": sources.digest,
        "licensed": sources.licensed,
        "sides": {
            side: {
                kind: {
                    "files": sum(r.kind == kind for r in rows),
                    "groups": len({r.group for r in rows if r.kind == kind}),
                    "minutes": round(sum(r.seconds for r in rows if r.kind == kind) / 60, 1),
                }
                for kind in ("speech", "noise", "rir")
            }
            for side, rows in sources.sides.items()
        },
        "skipped": [list(one) for one in sources.skipped],
        "clips": {split: Store(cache, split).available() for split in counts},
        "failed": dict(sorted(failed.items())),
    }
    write_whole(cache / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return manifest
