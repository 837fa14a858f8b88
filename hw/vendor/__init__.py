"""Carry chains written in the cells of one family of parts."""
