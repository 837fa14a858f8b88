"""Every test belongs to a tier; one without a marker is a unit test."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from golden.layer import Requantise, Threshold
from golden.network import Network
from hw.config import Config

TIERS = ("unit", "cosim", "synth", "formal")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the unmarked."""
    for item in items:
        if not any(item.get_closest_marker(tier) for tier in TIERS):
            item.add_marker(pytest.mark.unit)


@pytest.fixture(scope="session")
def suited() -> Callable[[Network, Config], Network]:
    """Give a network's codes 8 bits where a machine's lanes take whole codes: others it refuses."""

    def suit(network: Network, config: Config) -> Network:
        if config.act_bits == 1:
            return network
        layers, bits = [], network.layers[0].input_bits
        for layer in network.layers:
            end = layer.end
            if isinstance(end, Requantise):
                end = replace(end, bits=8)
            layers.append(replace(layer, end=end, input_bits=bits))
            bits = 1 if isinstance(end, Threshold) else 8
        return replace(network, layers=tuple(layers))

    return suit
