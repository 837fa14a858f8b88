"""How every variant is trained: each means a named option, so that what helps can be measured."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from golden.heads import PESQ, check
from golden.mixing import LEVEL_DB
from golden.rules import refuse

LEAST_CLIPS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """All that decides a training but the data, the variant and the seed.

    Parameters
    ----------
    clips
        Training clips.
    epochs
        Passes over them; networks that start from bits make those of `settle` alone.
    batch
        Clips per step, over all processes together.
    rate
        Peak learning rate (Adam): linear warm-up, then half a cosine down to zero.
    bare_rate
        Rate of layers without batch norms, all dense ones among them, as a share of `rate`.
    codes_rate
        The same for networks of 8-bit maps, which have no norms at all and, with `warm`, begin
        near where they end.
    warm_up
        Share of the steps that the rate rises in, before the network settles and then again.
    beta
        Steepness of the surrogate derivative.
    dropout
        Share of activations dropped behind the first three convolutions, until the network settles.
    warm
        Whether other variants start from a network of the same seed, see `Variant.source`.
    groups
        Whether a warm start's bits fire as often as the float network's values are in the upper
        of two groups, channel by channel.
    firing
        Share of pooled sums that fire at the start where they do not.
    sharpen
        Share of the steps in which bits are softened, ever less: slope 1 to `slope`. Steps in which
        the network settles do not count.
    slope
        See there.
    distil
        Weight of the float network's predictions in the target of the other variants.
    levels
        Range of levels that a clip is brought to at each draw, decibels.
    rotate
        Whether a clip starts anywhere at each draw.
    decay
        Weight decay.
    norm
        Whether there are batch norms behind the convolutions, until training is done.
    seen
        Clips that norms before bits see at a time, of those that a process has of a step; those of
        the float network see what `golden.experiment.training.PART` says.
    half
        Whether the forward and backward passes of training use bfloat16.
    average
        Decay per step of a running mean of the weights that is evaluated, of all networks but the
        float one; 0: the last weights.
    settle
        Epochs more for networks whose maps are bits, in which all convolutions but the last keep
        theirs, see `golden.experiment.phases`; the learning rate rises and falls again.
    settle_distil
        Weight of the float network's predictions in the target of those epochs.
    anew
        Epochs in which new dense layers, in floats, learn what the bits behind the global maximum
        are to say, before `bam`, or a network that starts from it, settles; 0: it goes on with
        those it has.
    outputs
        What the networks predict, by names in `golden.heads`; each weighs alike.
    """

    clips: int = 30000
    epochs: int = 10
    batch: int = 32
    rate: float = 5e-3
    bare_rate: float = 0.2
    codes_rate: float = 0.02
    warm_up: float = 0.05
    beta: float = 0.4
    dropout: float = 0.0
    warm: bool = True
    groups: bool = True
    firing: float = 0.5
    sharpen: float = 0.0
    slope: float = 16.0
    distil: float = 0.5
    levels: tuple[float, float] = LEVEL_DB
    rotate: bool = True
    decay: float = 0.0
    norm: bool = True
    seen: int = 32
    half: bool = True
    average: float = 0.999
    settle: int = 8
    settle_distil: float = 1.0
    anew: int = 8
    outputs: tuple[str, ...] = (PESQ,)

    def __post_init__(self) -> None:
        broken = [
            f"{name} must be an integer of at least {least}, not {getattr(self, name)!r}"
            for name, least in (
                ("clips", LEAST_CLIPS), ("epochs", 1), ("batch", 2), ("settle", 0), ("anew", 0),
                ("seen", 2),
            )
            if type(getattr(self, name)) is not int or getattr(self, name) < least
        ]
        for name, high in (
            ("warm_up", 0.9), ("dropout", 0.9), ("sharpen", 0.9), ("distil", 1.0),
            ("settle_distil", 1.0), ("average", 0.9999),
        ):
            if not 0 <= getattr(self, name) <= high:
                broken.append(f"{name} must be from 0 to {high}, not {getattr(self, name)!r}")
        if not 0 < self.firing < 1:
            broken.append(f"firing must be between 0 and 1, not {self.firing!r}")
        for name in ("rate", "bare_rate", "codes_rate", "slope"):
            if not getattr(self, name) > 0:
                broken.append(f"{name} must be positive, not {getattr(self, name)!r}")
        for name in ("beta", "decay"):
            if not getattr(self, name) >= 0:
                broken.append(f"{name} must be at least 0, not {getattr(self, name)!r}")
        if not self.levels[0] <= self.levels[1]:
            broken.append(f"levels must rise, not {self.levels!r}")
        try:
            check(self.outputs)
        except ValueError as error:
            broken.append(str(error))
        refuse("recipe", broken)

    def of_floats(self) -> "Recipe":
        """Give the recipe of the float network: what does not concern it stands at its default.

        So one float network serves every recipe that differs from another in nothing else.
        """
        usual = Recipe()
        names = (
            "codes_rate", "beta", "warm", "groups", "firing", "sharpen", "slope", "distil",
            "settle", "settle_distil", "anew", "seen",
        )
        return replace(self, average=0.0, **{name: getattr(usual, name) for name in names})

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"levels": list(self.levels), "outputs": list(self.outputs)}
