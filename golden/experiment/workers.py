"""One process or several: what `torchrun` starts averages its gradients."""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed, nn

PATIENCE = timedelta(hours=24)
"""How long the others wait for the one that labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workers:
    """The processes that train one network together.

    Parameters
    ----------
    rank, size
        Which process this is, and of how many.
    local
        Which it is on its machine.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this one writes files and reports."""
        return self.rank == 0

    def add_gradients(self, network: nn.Module) -> None:
        """Sum the gradients of all processes, in one message."""
        if self.size == 1:
            return
        grads = [p.grad for p in network.parameters() if p.grad is not None]
        flat = torch.cat([grad.reshape(-1) for grad in grads])
        self.total(flat)
        at = 0
        for grad in grads:
            grad.copy_(flat[at : at + grad.numel()].view_as(grad))
            at += grad.numel()

    def agree(self, network: nn.Module) -> None:
        """Give all processes the mean of their buffers: each has seen other clips."""
        if self.size == 1:
            return
        for buffer in network.buffers():
            if buffer.is_floating_point():
                self.total(buffer).div_(self.size)

    def same(self, network: nn.Module) -> None:
        """Give all processes the first one's weights and buffers: machines may round otherwise."""
        if self.size > 1:
            for value in network.state_dict().values():
                distributed.broadcast(value, 0)

    def total(self, tensor: torch.Tensor) -> torch.Tensor:
        """Sum of all processes' tensors of one shape, in place."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def share(self, value: dict[Any, Any]) -> dict[Any, Any]:
        """Give every process the first one's `value`, as soon as that comes."""
        box = [value]
        if self.size > 1:
            distributed.broadcast_object_list(box, 0)
        return box[0]

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.size > 1:
            distributed.barrier()


def join(device: str) -> tuple[Workers, torch.device]:
    """Meet the processes that `torchrun` started, if it did, and choose this one's device.

    Parameters
    ----------
    device
        ``cpu``, ``cuda`` (each process of a machine takes its own) or ``cuda:N``.

    Raises
    ------
    ValueError
        There is no such device.
    """
    kind = device.split(":")[0]
    if kind not in ("cpu", "cuda"):
        raise ValueError(f"device must be cpu or cuda, not {device!r}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError("device must be cpu where torch finds no GPU, not cuda")
    size = int(os.environ.get("WORLD_SIZE", "1"))
    workers = Workers(
        rank=int(os.environ.get("RANK", "0")), size=size,
        local=int(os.environ.get("LOCAL_RANK", "0")),
    )
    chosen = torch.device(f"cuda:{workers.local}" if device == "cuda" else device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
    if size > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=PATIENCE)
    return workers, chosen


def leave() -> None:
    """Part from the others."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
