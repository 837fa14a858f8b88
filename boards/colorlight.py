"""The Colorlight 5A-75B 7.0, a receiver card for LED walls: its LED and button are the UART."""

from boards.board import Board
from boards.ecp5 import SMALL

BOARD = Board(
    name="colorlight",
    title="Colorlight 5A-75B 7.0 (ECP5-25F)",
    family="ecp5",
    clock=75_000_000,
    baud=1_000_000,
    config=SMALL,
    oscillator=25_000_000,
    platform="colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform",
    loader=("-b", "colorlight", "-c", "ft232"),
    note="a USB UART sends to J19 KEY+ and listens to J19 DATA_LED-; programming takes JTAG",
)
