"""From folders of audio to files of results; called again, it goes on where it stopped."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from golden.batches import to_codes
from golden.experiment import clips as batches
from golden.experiment import labelling, lists, results, store, workers
from golden.experiment.clips import Clips
from golden.experiment.phases import phases
from golden.experiment.predictions import predict
from golden.experiment.recipe import Recipe
from golden.experiment.sources import Sources, sources
from golden.experiment.store import Split
from golden.experiment.task import Task
from golden.experiment.training import Training
from golden.experiment.variants import FLOAT, VARIANTS, variant
from golden.experiment.workers import Workers
from golden.rules import refuse

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What an experiment is.

    Parameters
    ----------
    data
        Folder of the recordings, see `golden.experiment.sources`.
    out
        Folder of ``results``, and of the checkpoints in ``work``.
    cache
        Folder of labelled clips; None: ``out/clips``.
    variants
        Names; all but ``float`` need the float network of their seed, some `bam` as well: these are
        trained first, if the results do not hold them.
    seeds
        How many: `first_seed`, the next ...; so machines may share the seeds of one folder.
    first_seed
        See there.
    recipe
        How all are trained.
    device
        ``cpu`` or ``cuda``.
    threads
        Threads of torch in each process; 0: torch's choice.
    processes
        Processes that label.
    valid, known, unseen_kinds
        Clips of these splits.
    test_list
        Test list; None: the committed one where the folder has its recordings, else one is drawn.
    labels_only
        End when all is labelled.
    """

    data: Path
    out: Path
    cache: Path | None = None
    variants: tuple[str, ...] = tuple(VARIANTS)
    seeds: int = 4
    first_seed: int = 1
    recipe: Recipe = field(default_factory=Recipe)
    device: str = "cpu"
    threads: int = 0
    processes: int = 1
    valid: int = 1024
    known: int = 1200
    unseen_kinds: int = 600
    test_list: Path | None = None
    labels_only: bool = False

    def __post_init__(self) -> None:
        broken = [
            f"{name} must be at least {least}, not {getattr(self, name)!r}"
            for name, least in (
                ("seeds", 1), ("first_seed", 1), ("threads", 0), ("processes", 1), ("valid", 2),
                ("known", 2), ("unseen_kinds", 2),
            )
            if getattr(self, name) < least
        ]
        for name in self.variants:
            try:
                variant(name)
            except ValueError as error:
                broken.append(str(error))
        if not self.variants:
            broken.append("variants must be at least one, not none")
        refuse("experiment", broken)

    @property
    def clips(self) -> Path:
        """Where labelled clips are kept."""
        return self.cache or self.out / "clips"


def run(options: Options, report: Report = lambda line: None) -> list[Path]:
    """Label, train and evaluate what is not there yet; return the paths of the runs' results.

    Under `torchrun` all processes call this; the first one writes and knows the paths, the first
    of each machine labels.

    Raises
    ------
    ValueError
        The folder, the cache or a checkpoint are not what they must be.
    OSError
        The disk is full; what was written until then stays and is whole.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    together, device = workers.join(options.device)
    try:
        return _Experiment(options, together, device, report).run()
    finally:
        workers.leave()


class _Experiment:
    """An experiment under way."""

    def __init__(
        self, options: Options, together: Workers, device: torch.device, report: Report,
    ) -> None:
        self.options, self.together, self.device = options, together, device
        self.report: Report = report if together.first else lambda line: None
        self.taught: dict[int, Tensor] = {}
        self.sources: dict[tuple[str, int], nn.Sequential] = {}

    def run(self) -> list[Path]:
        o = self.options
        counts: dict[Split, int] = {
            "valid": o.valid, "known": o.known, "unseen_kinds": o.unseen_kinds,
            "train": o.recipe.clips,
        }
        if self.together.local == 0:
            counts = self._label(counts)
        self.together.wait()  # also the labels of other machines are there
        counts = self.together.share(counts)
        if o.labels_only:
            return []
        host, outputs = torch.device("cpu"), o.recipe.outputs

        def load(split: Split, device: torch.device) -> Clips:
            return batches.load(o.clips, split, counts[split], device, outputs)

        self.train, self.valid = load("train", self.device), load("valid", self.device)
        self.sets = {"known": load("known", host), "unseen_kinds": load("unseen_kinds", host)}
        self.digest = store.digest(
            {
                "train": self.train.rows,
                "valid": self.valid.rows,
                "known": self.sets["known"].rows,
                "unseen_kinds": self.sets["unseen_kinds"].rows,
            },
            outputs,
        )
        if self.together.first:
            folder = o.out / "results"
            rows = {name: one.rows for name, one in self.sets.items()}
            results.write_test(folder, results.test_file(rows, self.digest, outputs))
        order = sorted(o.variants, key=lambda name: name != FLOAT)
        seeds = range(o.first_seed, o.first_seed + o.seeds)
        paths = [self._one(name, seed) for seed in seeds for name in order]
        return paths if self.together.first else []

    def _label(self, counts: dict[Split, int]) -> dict[Split, int]:
        """Label what is missing, say what was skipped and what failed."""
        o = self.options
        found = sources(o.data, o.processes)
        for path, why in found.skipped:
            self.report(f"skipped {path}: {why}")
        if not found.licensed:
            self.report("no manifest.csv states licences: these networks must not be given away")
        given = _lists(o, found)
        counts = counts | {split: len(listed) for split, listed in given.items()}
        manifest = labelling.label_all(
            found, o.clips, counts, processes=o.processes, lists=given,
            outputs=o.recipe.outputs, report=self.report,
        )
        skipped = f"{len(found.skipped)} files skipped"
        failed = ", ".join(f"{count} ({why})" for why, count in manifest["failed"].items())
        self.report(f"{sum(counts.values())} clips labelled; {skipped}; draws that failed: "
                    f"{failed or 'none'}")
        return counts

    @property
    def _runs(self) -> Path:
        return self.options.out / "results" / "runs"

    def _recipe(self, name: str) -> Recipe:
        return self.options.recipe.of_floats() if name == FLOAT else self.options.recipe

    def _task(self, name: str, seed: int) -> Task:
        return Task(
            name=name, seed=seed, recipe=self._recipe(name), data=self.digest,
            folder=self.options.out / "work", device=self.device, workers=self.together,
        )

    def _train(self, name: str, seed: int) -> tuple[Training, nn.Sequential]:
        def say(row: dict[str, Any]) -> None:
            line = " · ".join(f"{key} {value}" for key, value in row.items())
            self.report(f"{name}-{seed} · {line}")

        source = taught = None
        task = self._task(name, seed)
        if task.source is not None:
            source = self._source(task.source, seed).to(self.device)
        if name != FLOAT and any(phase.distil for phase in phases(task.recipe, variant(name))):
            taught = self._teach(seed)
        training = Training(task, self.train, self.valid, source, taught)
        best = training.run(say)
        self.together.wait()
        return training, best

    def _source(self, name: str, seed: int) -> nn.Sequential:
        """Give what others start from or learn from; trained and recorded, if it is not yet."""
        key = name, seed
        path = self._one(name, seed)
        if key not in self.sources:
            outputs = len(self.options.recipe.outputs)
            self.sources[key] = results.source(path.with_suffix(".npz"), variant(name), outputs)
        return self.sources[key]

    def _teach(self, seed: int) -> Tensor:
        """Give the float network's predictions of the training clips, as they are stored."""
        if seed not in self.taught:
            source = self._source(FLOAT, seed).to(self.device)
            heard = batches.front_end(self.train, 8)
            parts = []
            every = torch.arange(len(self.train), device=self.device)
            for part in torch.split(every, 4096):
                codes = to_codes(self.train.log_mel(part), heard, 8)
                parts.append(torch.from_numpy(predict(source, codes, self.together)).float())
            self.taught[seed] = torch.cat(parts).to(self.device)
        return self.taught[seed]

    def _done(self, name: str, seed: int) -> Path | None:
        """Where the result of one training lies, if it does."""
        path = self._runs / f"{name}-{seed}.json"
        if not path.is_file():
            return None
        known, task = json.loads(path.read_text()), self._task(name, seed)
        of = known["data"], known["recipe"], known.get("source") or FLOAT
        if of != (self.digest, task.recipe.as_dict(), task.source or FLOAT):
            raise ValueError(
                f"{path}: must be of the same recipe and data, not of others; give another folder",
            )
        return path

    def _one(self, name: str, seed: int) -> Path:
        """Train and evaluate one variant with one seed, unless its result is there."""
        if (path := self._done(name, seed)) is not None:
            return path
        training, best = self._train(name, seed)
        self.sources[name, seed] = best
        path = self._runs / f"{name}-{seed}.json"
        if self.together.first:
            result, weights = results.record(training, best.cpu(), self.sets)
            results.write(self._runs, result, weights)
            figures = " · ".join(
                f"{split} PCC {one['pcc']:.4f} MSE {one['mse']:.4f}"
                for split, one in result["sets"].items()
            )
            self.report(f"{name}-{seed}: {figures}")
        self.together.wait()
        return path


def _lists(options: Options, found: Sources) -> dict[Split, lists.Listed]:
    """Read the test list, if one is given or the committed one's recordings are there."""
    if options.test_list is not None:
        return lists.read(options.test_list)
    if not lists.TEST_LIST.is_file():
        return {}
    listed = lists.read(lists.TEST_LIST)
    there = {r.path for r in found.sides["test"]}
    needed = {path for one in listed.values() for scene, _ in one for path in scene.files}
    return listed if needed <= there else {}
