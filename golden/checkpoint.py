"""Float checkpoints: written whole, read back as a module that can predict."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from golden.front_end import FrontEnd
from golden.model import paper_network


def save(state: dict[str, Any], path: Path) -> None:
    """Write `state` beside `path`, then rename: a killed training leaves a whole file."""
    beside = path.with_suffix(".tmp")
    torch.save(state, beside)
    beside.rename(path)


def save_best(
    path: Path, network: nn.Sequential, front_end: FrontEnd, **facts: str | float,
) -> None:
    """Write `best.pt`: weights, front-end and the `facts`, variant and beta among them."""
    bands = {name: torch.from_numpy(getattr(front_end, name)) for name in ("offset", "step")}
    save({**facts, "weights": network.state_dict(), "front_end": bands}, path)


def load_best(path: Path) -> tuple[nn.Sequential, FrontEnd]:
    """Read `best.pt`: the module in evaluation mode and its front-end.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file, or it is no checkpoint of this project.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: the checkpoint must be an existing file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        outputs = len(state["weights"]["dense3.bias"])
        network = paper_network(state["variant"], state["beta"], outputs=outputs)
        network.load_state_dict(state["weights"])
        offset, step = (state["front_end"][name].numpy() for name in ("offset", "step"))
        front_end = FrontEnd(bands=len(offset), offset=offset, step=step)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path}: must be a checkpoint of a training ({reason})") from None
    return network.eval(), front_end


@torch.no_grad()
def predict(network: nn.Sequential, codes: Tensor, batch: int = 32) -> NDArray[np.float64]:
    """Predictions for `codes` ``[clip, 1, band, frame]``, in evaluation mode.

    Returns
    -------
    NDArray[np.float64]
        ``[clip]`` of a network with one output, else ``[clip, output]``.
    """
    network.eval()
    device = next(network.parameters()).device
    parts = [network(part.to(device)).cpu() for part in torch.split(codes, batch)]
    found: NDArray[np.float64] = torch.cat(parts).numpy().astype(np.float64)
    return found[:, 0] if found.shape[1] == 1 else found
