"""Fields of a JSON file, each checked as it is read: "X must be RULE, not VALUE", in one line."""

import json
import math
from pathlib import Path
from typing import TypeGuard

LONGEST = 40
"""Characters of a wrong value that a message shows."""


class ResultsError(ValueError):
    """Results that are broken, missing or of another experiment; the message names the file."""


class Fields:
    """One object of a JSON file.

    Parameters
    ----------
    where
        What stands before every message: the file, and the place in it.
    values
        The object.
    """

    def __init__(self, where: str, values: object) -> None:
        if not isinstance(values, dict):
            raise ResultsError(f"{where} must be an object, not {_shown(values)}")
        self.where, self.values = where, values

    def refuse(self, key: str, rule: str) -> ResultsError:
        """Make the error that says which rule the value of `key` breaks."""
        got = _shown(self.values[key]) if key in self.values else "missing"
        return ResultsError(f"{self.where} {key} must be {rule}, not {got}")

    def has(self, key: str) -> bool:
        """Whether there is a value that is not null."""
        return self.values.get(key) is not None

    def text(self, key: str) -> str:
        """Return a string that is not empty."""
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(key, "a text that is not empty")
        return value

    def whole(self, key: str, least: int = 0) -> int:
        """Return an integer of at least `least`."""
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.refuse(key, f"an integer of at least {least}")
        return value

    def number(self, key: str, low: float = -math.inf, high: float = math.inf) -> float:
        """Return a finite number from `low` to `high`."""
        value = self.values.get(key)
        if not _is_number(value) or not low <= value <= high:
            bounds = "" if low == -math.inf else f" of at least {low:g}"
            if high < math.inf:
                bounds = f" from {low:g} to {high:g}"
            raise self.refuse(key, f"a finite number{bounds}")
        return float(value)

    def numbers(self, key: str) -> list[float]:
        """Return a list of finite numbers."""
        values = self.values.get(key)
        if not isinstance(values, list):
            raise self.refuse(key, "a list of numbers")
        for place, value in enumerate(values):
            if not _is_number(value):
                rule = f"{self.where} {key}[{place}] must be a finite number"
                raise ResultsError(f"{rule}, not {_shown(value)}")
        return [float(value) for value in values]

    def object(self, key: str) -> "Fields":
        """Return an object within this one."""
        if key not in self.values:
            raise self.refuse(key, "an object")
        return Fields(f"{self.where} {key}", self.values[key])

    def each(self, key: str) -> "list[Fields]":
        """Return a list of objects."""
        values = self.values.get(key)
        if not isinstance(values, list):
            raise self.refuse(key, "a list of objects")
        return [Fields(f"{self.where} {key}[{i}]", value) for i, value in enumerate(values)]

    def texts(self, key: str) -> dict[str, str]:
        """Return an object of plain values as text, a name each."""
        return {name: _plain(value) for name, value in self.object(key).values.items()}


def read(path: Path, where: str) -> Fields:
    """Read the file at `path`, called `where` in messages; numbers must be finite."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_constant)
    except FileNotFoundError:
        raise ResultsError(f"{where} must be there, not missing") from None
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are both
        raise ResultsError(f"{where} must be JSON: {error}") from None
    return Fields(where, values)


def _constant(name: str) -> float:
    raise ValueError(f"numbers must be finite, not {name}")


def _is_number(value: object) -> TypeGuard[int | float]:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    )


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
