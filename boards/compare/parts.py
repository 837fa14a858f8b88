"""Which module belongs to which part of the accelerator, for the question what costs what."""

PARTS: tuple[tuple[str, str], ...] = (
    ("array", r"^cell_|^column\.cell"),
    ("group sums", r"group_sum"),
    ("accumulators", r"accumulator"),
    ("column ends", r"^column\.end\b|^column_end"),
    ("fill", r"fill|gray"),
    ("columns' wiring and weights", r"^column"),
    ("skew and deskew", r"\.(array|delay_line)$"),
    ("window", r"\.window"),
    ("walker", r"\.walker"),
    ("loader", r"\.loader"),
    ("sequencer", r"\.(sequencer|pass_fetch|end_steps)"),
    ("memories", r"memory|\.program$"),
    ("streams", r"\.(commander|ingest|reader|writer|arbiter)"),
    ("top", r""),
)
"""Name of the part and the pattern of its modules' names; the first that matches counts."""
