"""Packages that only some verbs need: how they are told of, and installed."""


def install(extra: str) -> str:
    """Give the command that installs an extra of `pyproject.toml`, in its pinned versions."""
    return f"pip install -c constraints.txt -e '.[{extra}]'"


def lacks(need: str, package: str, extra: str) -> ValueError:
    """Make the error that a package of an extra is not installed; `need` ends in "needs"."""
    return ValueError(f"{need} the package {package}: {install(extra)}")
