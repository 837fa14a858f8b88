"""What one run writes stands in its ring as a whole, so that it can be sent."""

import numpy as np
import pytest

from golden.random_networks import random_network
from hw.config import Config
from hw.schedule import schedule


@pytest.mark.parametrize("seed", range(4))
def test_a_run_fits_its_ring(seed):
    """Also frames that nobody reads: dropped edges and strides used to leave the ring shorter."""
    rng = np.random.default_rng(seed)
    config = Config(
        lanes=12,
        columns=20,
        groups=4,
        acc_bits=26,
        map_words=60000,
        weight_rows=60000,
        partial_sums=700,
        program_words=60000,
    )
    for _ in range(20):
        plan = schedule(random_network(rng, size="small"), config)
        for step in plan.steps:
            for run in step.runs:
                first, end = run.written
                assert end - first <= plan.rings[run.stage + 1].frames
