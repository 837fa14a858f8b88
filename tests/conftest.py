"""Every test belongs to a tier; one without a marker is a unit test."""

import pytest

TIERS = ("unit", "cosim", "synth", "formal")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the unmarked."""
    for item in items:
        if not any(item.get_closest_marker(tier) for tier in TIERS):
            item.add_marker(pytest.mark.unit)
