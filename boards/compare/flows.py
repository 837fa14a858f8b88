"""The commands that map, place and route a design: the same for both sides of the comparison.

Measured choices, made alike for binary cells and for multipliers:

- `-noflatten` while mapping, then `flatten`: identical columns are mapped once, and the cells come
  out the same in a fortieth of the time.
- `-nowidelut` on ECP5: yosys otherwise spends up to twice the LUTs on wide functions, most of all
  in multipliers (a MAC of 8 x 8 bits takes 184 LUT4 instead of 313, with `booth` 163 instead
  of 250, a whole small accelerator 4,806 instead of 5,613).
- A clock target above what is reached, so that nextpnr does not stop trying.
- nextpnr-ice40 with its own router, which is the faster one of its two where it comes to an end. It
  may go round for ever (`mac_rows` 8x4, seed 2: 5,269 arcs left since the first of 11 million
  steps); what it has not done in `PATIENCE_S` is done by the other, in half a minute.
- ECP5 out of context: no pins, the clock not on its global net; a path from a port to a register
  does not count. nextpnr-ice40 knows no such thing, see `boards.compare.harness`.
"""

from boards.compare.devices import SPEED_GRADE, Device
from boards.compare.job import Job, Multiplier, Target

CLOCK_TARGET_MHZ: dict[Target, int] = {"ecp5": 400, "ice40": 250}

PATIENCE_S: dict[Target, float | None] = {"ecp5": None, "ice40": 900.0}
"""So long may the first router take: some 30 times what it does take."""

OTHER_ROUTER = ("--router", "router2")

BOOTH = "hierarchy -top {top}; proc; opt_clean; wreduce; booth; opt_clean; "


def synthesis_script(job: Job, multiplier: Multiplier, top: str) -> str:
    """Return yosys's commands; they read design.v and write netlist.json and two counts."""
    before = BOOTH.format(top=top) if multiplier == "booth" else ""
    if job.target == "ecp5":
        options = "-nowidelut" + ("" if multiplier == "dsp" else " -nodsp")
    else:
        options = "-device u" if job.part == "up5k" else "-device hx"
        options += " -dsp" if multiplier == "dsp" else ""
        options += " -spram" if job.part == "up5k" and job.level == "accelerator" else ""
    return (
        f"read_verilog design.v; {before}synth_{job.target} {options} -noflatten -top {top};"
        " tee -q -o modules.json stat -json; flatten; opt_clean; delete t:$scopeinfo;"
        " tee -q -o flat.json stat -json; write_json netlist.json"
    )


def route_arguments(device: Device, seed: int) -> list[str]:
    """Return nextpnr's arguments; it reads netlist.json and writes report.json and route.log."""
    arguments = [device.option, "--package", device.package]
    if device.target == "ecp5":
        arguments += ["--speed", str(SPEED_GRADE), "--out-of-context"]
    return [
        *arguments,
        "--freq", str(CLOCK_TARGET_MHZ[device.target]),
        "--timing-allow-fail",
        "--seed", str(seed),
        "--json", "netlist.json",
        "--report", "report.json",
        "--log", "route.log",
        "--quiet",
    ]


USED = {
    "ecp5": {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD", "dsp": "MULT18X18D"},
    "ice40": {
        "lut": "ICESTORM_LC", "bram": "ICESTORM_RAM", "dsp": "ICESTORM_DSP",
        "spram": "ICESTORM_SPRAM",
    },
}
"""nextpnr's names of the resources; it does not count the registers of an iCE40."""
