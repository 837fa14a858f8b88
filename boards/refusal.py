"""What a user can do wrong, a machine or a record: the exit code and the one line that says it."""


def exit_code(error: Exception) -> int | None:
    """Give 2 for bad input, 1 for a machine or figures that fail, None for the program's error."""
    if isinstance(error, ValueError | TypeError | OSError):
        return 2
    if isinstance(error, RuntimeError):
        from boards.compare.tools import JobError
        from golden.experiment.reading import DisagreementError
        from hw.replies import ReplyError
        from sim.build import BuildError
        from sim.simulation import SimulationError
        from sim.toolchain import ToolError

        if isinstance(error, ToolError | BuildError | JobError):
            return 2
        if isinstance(error, SimulationError | ReplyError | DisagreementError):
            return 1
    return None


def explain(error: Exception) -> str:
    """Say in one line what was wrong."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        text = f"{error.filename}: {error.strerror.lower()}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())
