"""The rules that every stream keeps, and the words for a broken one."""

from enum import IntFlag


class Rule(IntFlag):
    """The rules of a stream; a set bit of `fault` is a broken one."""

    HELD = 1
    """`valid` stays until the payload is taken."""
    STEADY = 2
    """The payload does not change while it waits."""
    QUIET_RESET = 4
    """`valid` is low in reset, so that nothing is transferred."""
    CLEAN_START = 8
    """`valid` is low in the first cycle after reset."""


def describe_fault(fault: int) -> str:
    """Name the rules that `fault` of a `Bench` says are broken, by stream."""
    mask = 2 ** len(Rule) - 1
    broken = {"i": fault & mask, "o": fault >> len(Rule) & mask}
    return "; ".join(
        f"stream {stream}: {', '.join(rule.name or '' for rule in Rule if bits & rule)}"
        for stream, bits in broken.items()
        if bits
    )
