"""Where a training stands, in one file that is whole or not there."""

import io
from typing import Any

import torch

from golden.experiment.task import Task
from golden.files import write_whole

State = dict[str, Any]


def read(task: Task) -> State | None:
    """Read where the training of `task` was left; None where it was never begun.

    Raises
    ------
    ValueError
        The file is no checkpoint, or one of another recipe or other data.
    """
    path = task.checkpoint
    if not path.is_file():
        return None
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
        identity = state["identity"]
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path}: must be a checkpoint of a training ({reason})") from None
    if identity != task.identity:
        raise ValueError(
            f"{path}: must be of the same recipe and data, not of others; give another folder",
        )
    return state


def write(task: Task, state: State) -> None:
    """Write where the training of `task` stands.

    Raises
    ------
    OSError
        The disk is full; what was written before stays.
    """
    whole = io.BytesIO()
    torch.save(state | {"identity": task.identity}, whole)
    task.folder.mkdir(parents=True, exist_ok=True)
    write_whole(task.checkpoint, whole.getvalue())
