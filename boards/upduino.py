"""The UPduino 3: an iCE40 UP5K without a UART on its USB; one on header pins is needed.

Its 12 MHz reach the chip once the jumper OSC is soldered; the chip's own oscillator is 10 % off,
too much for a UART. Pin 20 belongs to the flash as well, and is only its HOLD.
"""

from boards.board import Board
from hw.presets import PRESETS

BOARD = Board(
    name="upduino",
    title="UPduino 3 (iCE40 UP5K)",
    family="ice40",
    clock=12_000_000,
    baud=1_000_000,
    config=PRESETS["small"],
    oscillator=12_000_000,
    platform="upduino_v3:UpduinoV3Platform",
    oscillator_name="clk12",
    wires=("j", 0, "7", "8"),
    loader=("-b", "ice40_generic", "-f"),
    measured=(3974, 1736),
    note="solder the jumper OSC; a USB UART sends to pin 23 and listens to pin 25",
)
