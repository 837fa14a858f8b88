"""Where it runs and what it costs: bitstreams, the host link, the board engine, reports."""
