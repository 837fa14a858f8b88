"""Do they agree? Verilator and cocotb, the passive checkers, and the engine that runs the RTL."""
