"""What may stand at lane x column; each cell is one file."""
