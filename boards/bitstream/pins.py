"""Which chip a board has and which of its pins: asked of amaranth-boards, told to nextpnr."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from boards.board import Board, BoardError
from boards.compare.devices import DEVICES, Device

CHIPS = {
    "LFE5U-12F": ("25f", "--12k"),  # a 25F by another name, and with all of its cells
    "LFE5U-25F": ("25f", "--25k"),
    "LFE5U-45F": ("45f", "--45k"),
    "LFE5U-85F": ("85f", "--85k"),
    "iCE40UP5K": ("up5k", "--up5k"),
    "iCE40HX8K": ("hx8k", "--hx8k"),
}
"""Of amaranth-boards' devices the one whose size it has, and nextpnr's option."""

PACKAGES = {
    "BG256": "CABGA256", "BG381": "CABGA381", "MG285": "CSFBGA285", "SG48": "sg48",
    "CT256": "ct256",
}
"""nextpnr's names of packages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """One pin.

    Parameters
    ----------
    site
        Its name on the chip.
    attributes
        As amaranth-boards has them.
    """

    site: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """A board's chip and its pins.

    Parameters
    ----------
    device
        Its resources.
    part
        Its name in full.
    options
        nextpnr's options for it.
    pins
        By the ports of `boards.bitstream.shell`: osc, rx, tx.
    """

    device: Device
    part: str
    options: tuple[str, ...]
    pins: Mapping[str, Pin]


def chip(board: Board) -> Chip:
    """Return what amaranth-boards knows of `board`; a `BoardError` where they do not agree."""
    module, _, name = board.platform.partition(":")
    platform = getattr(import_module(f"amaranth_boards.{module}"), name)()
    device, option = CHIPS[platform.device]
    options = [option, "--package", PACKAGES[platform.package]]
    part = f"{platform.device}-{platform.package}"
    if board.family == "ecp5":
        options += ["--speed", platform.speed]
        part = f"{platform.device}-{platform.speed}{platform.package}"
    clock = platform.lookup(board.oscillator_name or platform.default_clk)
    if clock.clock is None or round(clock.clock.frequency) != board.oscillator:
        raise BoardError(
            f"board {board.name}: oscillator must be that of amaranth-boards, not"
            f" {board.oscillator}",
        )
    if board.config.single_port and not DEVICES[device].spram:
        raise BoardError(
            f"board {board.name}: single_port must be false: {part} has no single-port RAM for the"
            " weights",
        )
    return Chip(
        device=DEVICES[device],
        part=part,
        options=tuple(options),
        pins={"osc": _pin(platform, clock.ios[0], clock.attrs), **_uart(platform, board)},
    )


def _uart(platform: Any, board: Board) -> dict[str, Pin]:
    """Return the pins of the lines from and to the host."""
    if isinstance(board.wires, str):
        resource = platform.lookup(board.wires)
        lines = {each.name: each for each in resource.ios}
        return {
            name: _pin(platform, lines[name].ios[0], {**resource.attrs, **lines[name].attrs})
            for name in ("rx", "tx")
        }
    connector, number, rx, tx = board.wires
    mapping = platform.connectors[connector, number].mapping
    if board.family == "ecp5":
        attributes, pulled = {"IO_TYPE": "LVCMOS33"}, {"PULLMODE": "UP"}
    else:
        attributes, pulled = {"IO_STANDARD": "SB_LVCMOS"}, {"PULLUP": "1"}
    return {  # a line that nobody drives is idle
        "rx": Pin(site=mapping[rx], attributes=attributes | pulled),
        "tx": Pin(site=mapping[tx], attributes=attributes),
    }


def _pin(platform: Any, pins: Any, attributes: Mapping[str, object]) -> Pin:
    """Return the one pin of `pins`, which may lie behind a connector."""
    (site,) = pins.names
    if ":" in site:
        connector, _, name = site.rpartition(":")
        word, _, number = connector.rpartition("_")
        site = platform.connectors[word, int(number)].mapping[name]
    return Pin(site=site, attributes={name: str(value) for name, value in attributes.items()})


def constraints(board: Board, known: Chip) -> str:
    """Return pins and oscillator as nextpnr reads them: LPF for ECP5, PCF for iCE40."""
    mhz = board.oscillator / 1e6
    lines = []
    for port, pin in known.pins.items():
        if board.family == "ecp5":
            kept = " ".join(f"{name}={value}" for name, value in pin.attributes.items())
            lines += [f'LOCATE COMP "{port}" SITE "{pin.site}";', f'IOBUF PORT "{port}" {kept};']
        else:
            pull = "-pullup yes " if pin.attributes.get("PULLUP") == "1" and port == "rx" else ""
            lines.append(f"set_io {pull}{port} {pin.site}")
    if board.family == "ecp5":
        lines.append(f'FREQUENCY PORT "osc" {mhz:g} MHZ;')
    else:
        lines.append(f"set_frequency osc {mhz:g}")
    return "\n".join(lines) + "\n"
