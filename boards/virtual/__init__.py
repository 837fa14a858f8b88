"""Boards that need no hardware: the whole board top in Verilator, behind a pseudo-terminal."""
