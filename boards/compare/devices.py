"""The parts that a design may be placed on, and the smallest that holds it."""

from collections.abc import Mapping
from dataclasses import dataclass

from boards.compare.job import Target

Counts = Mapping[str, int]
"""Resources by name: lut (LUT4 or LC), ff, bram, dsp, spram."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One part.

    Parameters
    ----------
    name
        For people.
    target
        Its family.
    option
        nextpnr's option for it.
    package
        The package with the most pins.
    lut
        LUT4 (ECP5) or logic cells (iCE40).
    bram
        Block RAMs: 18 kbit (ECP5) or 4 kbit (iCE40).
    dsp
        Multipliers of 18 x 18 (ECP5) or 16 x 16 bits.
    spram
        Single-port RAMs of 256 kbit.
    """

    name: str
    target: Target
    option: str
    package: str
    lut: int
    bram: int
    dsp: int = 0
    spram: int = 0

    def holds(self, counts: Counts) -> bool:
        """Whether so much of each resource is there; registers come with the LUTs."""
        return all(
            counts.get(what, 0) <= room
            for what, room in (
                ("lut", self.lut), ("ff", self.lut), ("bram", self.bram), ("dsp", self.dsp),
                ("spram", self.spram),
            )
        )


SPEED_GRADE = 6
"""Of the ECP5 parts, the slowest and cheapest."""

DEVICES: dict[str, Device] = {
    "25f": Device(
        name="ECP5-25F", target="ecp5", option="--25k", package="CABGA381",
        lut=24288, bram=56, dsp=28,
    ),
    "45f": Device(
        name="ECP5-45F", target="ecp5", option="--45k", package="CABGA381",
        lut=43848, bram=108, dsp=72,
    ),
    "85f": Device(
        name="ECP5-85F", target="ecp5", option="--85k", package="CABGA381",
        lut=83640, bram=208, dsp=156,
    ),
    "hx8k": Device(
        name="iCE40 HX8K", target="ice40", option="--hx8k", package="ct256", lut=7680, bram=32,
    ),
    "up5k": Device(
        name="iCE40 UP5K", target="ice40", option="--up5k", package="sg48",
        lut=5280, bram=30, dsp=8, spram=4,
    ),
}
ROOMY = 0.7
"""Share of its LUTs up to which a part is preferred: a fuller one takes nextpnr many times longer
and costs clock, on either side of the comparison."""

LARGEST: dict[Target, str] = {"ecp5": "85f", "ice40": "hx8k"}
"""The parts that are filled in the figures per device."""


def fitting(target: Target, counts: Counts, part: str = "") -> Device | None:
    """Return the part for a design that takes `counts`; None if none holds it.

    It is `part`, if one is named; else the smallest of `target` that it fills to at most `ROOMY`,
    else the largest. The iCE40 HX8K goes before the UP5K, which is the smaller and slower one but
    has what the other lacks.
    """
    if part:
        if part not in DEVICES or DEVICES[part].target != target:
            known = ", ".join(name for name, each in DEVICES.items() if each.target == target)
            raise ValueError(f"part must be one of {known}, not {part!r}")
        return DEVICES[part] if DEVICES[part].holds(counts) else None
    holding = [each for each in DEVICES.values() if each.target == target and each.holds(counts)]
    roomy = [each for each in holding if counts.get("lut", 0) <= ROOMY * each.lut]
    return next(iter(roomy), max(holding, key=lambda each: each.lut, default=None))
