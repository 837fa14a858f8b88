"""Bitstreams: chip and pins, clock, tools, files."""
