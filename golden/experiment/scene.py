"""A scene: what a 5-s clip is made of, drawn by a seed and kept as one line of JSON."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from golden import mixing
from golden.data import Recording
from golden.experiment.distort import KINDS, SEEN, Kind

SNR_DB, SNR_DISTORTED_DB = (-5.0, 40.0), (5.0, 45.0)
"""Ranges without and with a distortion, which much noise would hide."""

EQUALISER_DB = 8.0
EQUALISER_POINTS = 6
BABBLE, ROOM, DECAY, SECOND_NOISE = 0.15, 0.12, 0.5, 0.2
CLEAN, CLEAN_DISTORTED = 0.1, 0.4
DISTORTIONS = (0.4, 0.45, 0.15)
"""Shares of scenes with no, one and two distortions."""

Place = tuple[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One clip.

    Parameters
    ----------
    speech
        Path below the data folder and offset, samples at 16 kHz; a file repeats endlessly.
    speech_equaliser
        Gains of speech and reference at `EQUALISER_POINTS` equal distances on a logarithmic
        scale of frequency, decibels: another microphone. None leaves it.
    noises
        Likewise places; several are summed at equal power. Empty for clean speech.
    speed
        Factor of the noises' speed and pitch.
    noise_equaliser
        As for speech.
    room
        Path of a room response that the speech passes, or None.
    decay
        Seconds of reverberation (60 dB) and seed of a room made of decaying noise, or None.
    snr_db
        Power of the speech over that of the noise in the whole window, decibels.
    distortions
        Kind, number and seed of each, applied in this order to the mix.
    level_db
        Root mean square of the result, decibels relative to 1.
    """

    speech: Place
    speech_equaliser: tuple[float, ...] | None = None
    noises: tuple[Place, ...] = ()
    speed: float = 1.0
    noise_equaliser: tuple[float, ...] | None = None
    room: str | None = None
    decay: tuple[float, int] | None = None
    snr_db: float = 40.0
    distortions: tuple[tuple[Kind, float, int], ...] = ()
    level_db: float = -25.0

    @property
    def kind(self) -> str:
        """One word for tables: the only distortion, ``several``, or else what is around."""
        if len(self.distortions) > 1:
            return "several"
        if self.distortions:
            return self.distortions[0][0]
        if self.room is not None or self.decay is not None:
            return "room"
        if not self.noises:
            return "clean"
        return "babble" if self.babble else "noise"

    @property
    def babble(self) -> bool:
        """Whether the noises are other speakers."""
        return len(self.noises) >= 3

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of all that is read."""
        room = () if self.room is None else (self.room,)
        return (self.speech[0], *(path for path, _ in self.noises), *room)

    @property
    def text(self) -> str:
        """What was done, in short."""
        parts = []
        if self.room is not None or self.decay is not None:
            parts.append("room" if self.decay is None else f"room {self.decay[0]:g} s")
        if self.noises:
            parts.append(f"{'babble' if self.babble else 'noise'} {self.snr_db:.1f} dB")
        parts.extend(f"{kind} {number:g}" for kind, number, _ in self.distortions)
        return " + ".join(parts) or "clean"

    def line(self) -> str:
        """Give the scene as one line of JSON, without what is as usual."""
        usual = {one.name: one.default for one in fields(self)}
        values = {name: value for name, value in asdict(self).items() if value != usual[name]}
        return json.dumps(values, separators=(",", ":"))


def parse(values: dict[str, Any]) -> Scene:
    """Make a scene from what JSON gives.

    Raises
    ------
    ValueError
        A value is missing, unknown or of another type.
    """
    try:
        def tuples(value: Any) -> Any:
            return tuple(map(tuples, value)) if isinstance(value, list) else value

        one = Scene(**{name: tuples(value) for name, value in values.items()})
        path, offset = one.speech
        if not isinstance(path, str) or int(offset) < 0:
            raise ValueError("speech must be a path and an offset")
        if any(kind not in KINDS for kind, _, _ in one.distortions):
            raise ValueError(f"kinds must be among {', '.join(KINDS)}")
        return one
    except (TypeError, ValueError) as error:
        raise ValueError(f"a scene must hold what its class says: {error}") from None


def draw(
    recordings: tuple[Recording, ...],
    rng: np.random.Generator,
    kinds: tuple[Kind, ...] = SEEN,
    counts: tuple[float, ...] = DISTORTIONS,
) -> Scene:
    """Draw a scene from one side of a split.

    Seconds of speech are equally probable; a noise is drawn as in `golden.mixing.draw`.

    Parameters
    ----------
    recordings
        One side of a split.
    rng
        Source of all chance.
    kinds
        Distortions to draw from.
    counts
        Shares of scenes with none, one, two ... of them, none twice.
    """
    base = mixing.draw(recordings, rng, babble=BABBLE, room=ROOM * (1.0 - DECAY))
    noises = base.noises
    if len(noises) == 1 and rng.random() < SECOND_NOISE:
        noises += mixing.draw(recordings, rng, babble=0.0, room=0.0).noises
    count = int(rng.choice(len(counts), p=counts))
    if rng.random() < (CLEAN_DISTORTED if count else CLEAN):
        noises = ()
    decay = None
    if base.room is None and rng.random() < ROOM * DECAY:
        decay = (round(float(rng.uniform(0.15, 0.9)), 3), int(rng.integers(2**31)))
    chosen = [kinds[int(i)] for i in rng.permutation(len(kinds))[:count]]
    return Scene(
        speech=base.speech,
        speech_equaliser=_equaliser(rng, 0.5),
        noises=noises,
        speed=round(float(rng.uniform(0.75, 1.33)), 3) if noises and rng.random() < 0.5 else 1.0,
        noise_equaliser=_equaliser(rng, 0.7) if noises else None,
        room=base.room,
        decay=decay,
        snr_db=round(float(rng.uniform(*(SNR_DISTORTED_DB if count else SNR_DB))), 2),
        distortions=tuple(
            (kind, KINDS[kind].draw(rng), int(rng.integers(2**31))) for kind in chosen
        ),
        level_db=base.level_db,
    )


def _equaliser(rng: np.random.Generator, share: float) -> tuple[float, ...] | None:
    if rng.random() >= share:
        return None
    gains = rng.uniform(-EQUALISER_DB, EQUALISER_DB, EQUALISER_POINTS)
    return tuple(round(float(gain), 1) for gain in gains)
