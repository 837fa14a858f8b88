"""The same sums in software, with additions only: an engine for ordinary processors."""
