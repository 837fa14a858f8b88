"""The machine as the chip's own cells: its netlist after synthesis, simulated."""
