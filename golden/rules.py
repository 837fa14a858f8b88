"""How a description is checked: every broken rule in one error."""

import numpy as np


class NetworkError(ValueError):
    """A network that breaks the contract; the message lists every broken rule."""


def refuse(subject: str, broken: list[str]) -> None:
    """Raise one `NetworkError` that lists all `broken` rules of `subject`, if there are any."""
    if broken:
        raise NetworkError(f"{subject}: " + "; ".join(broken))


def is_int(value: object) -> bool:
    """Whether `value` is an integer; `True` and `False` are not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)


def check_vector(broken: list[str], what: str, value: object, dtype: type, length: int) -> None:
    """Add to `broken` unless `value` is an array of `dtype` and of so many elements."""
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.shape != (length,):
        got = (
            f"{value.dtype} {list(value.shape)}"
            if isinstance(value, np.ndarray)
            else type(value).__name__
        )
        broken.append(f"{what} must be {np.dtype(dtype).name} [{length}], not {got}")
