"""A torch `Sequential` as the blocks that become the network's layers.

A block is one weighted module with what follows it up to the next: batch norms, one activation,
one pooling, before or behind the activation. What has no place in the contract is refused by the
module's path and class.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import nn

from golden.layer import Pool
from golden.quantise import (
    GlobalMaxPool2d,
    InputCodes,
    QuantConv2d,
    QuantLinear,
    QuantReLU,
    Step,
)

WEIGHTED = (nn.Conv2d, nn.Linear, QuantConv2d, QuantLinear)
IGNORED = (nn.Dropout, nn.Dropout2d, nn.Identity)


class ExportError(ValueError):
    """A module that has no place in the network contract; the message names it."""

    def __init__(self, path: str, module: nn.Module, rule: str) -> None:
        super().__init__(f"module {path} ({type(module).__name__}) {rule}")


@dataclass(slots=True)
class Block:
    """A weighted module and what follows it up to the next.

    Parameters
    ----------
    path
        Of the weighted module, names joined by dots.
    name
        Of the network's layer: the path, or ``conv1``, ``dense1`` ... where that is a number.
    weighted
        The convolution or linear layer.
    last
        Path of the module whose output is the block's.
    norms
        Batch norms, in order.
    activation, activation_path
        What makes bits or codes; none in the last block.
    pool
        The pooling, before or behind the activation.
    """

    path: str
    name: str
    weighted: nn.Conv2d | nn.Linear
    last: str
    norms: list[nn.BatchNorm1d | nn.BatchNorm2d] = field(default_factory=list)
    activation: Step | QuantReLU | None = None
    activation_path: str = ""
    pool: Pool = "none"


def walk(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Every module that is not a `Sequential`, in the order of evaluation, with its path."""
    if not isinstance(module, nn.Sequential) or type(module).forward is not nn.Sequential.forward:
        yield path, module
        return
    for name, child in module._modules.items():  # named_children() skips a module's second use
        assert child is not None  # `Sequential` takes modules only
        yield from walk(child, f"{path}.{name}" if path else name)


def group(module: nn.Module) -> tuple[InputCodes | None, list[Block]]:
    """Group the modules into the network's layers; refuse what has no place."""
    if not isinstance(module, nn.Sequential) or type(module).forward is not nn.Sequential.forward:
        raise TypeError(f"module must be a torch.nn.Sequential, not {type(module).__name__}")
    inputs: InputCodes | None = None
    blocks: list[Block] = []
    flat = False
    for path, part in walk(module):
        block = blocks[-1] if blocks else None
        if type(part) in IGNORED:
            continue
        if isinstance(part, InputCodes):
            if blocks or inputs is not None:
                raise ExportError(path, part, "must come first")
            inputs = part
        elif isinstance(part, nn.Conv2d | nn.Linear) and type(part) in WEIGHTED:
            if block is not None and block.activation is None:
                raise ExportError(path, part, f"must not follow {block.path} without an activation")
            if isinstance(part, nn.Conv2d) and flat:
                raise ExportError(path, part, "must not follow a Flatten or Linear")
            if isinstance(part, nn.Linear) and not flat:
                raise ExportError(path, part, "must follow a Flatten or Linear")
            kind = "conv" if isinstance(part, nn.Conv2d) else "dense"
            number = 1 + sum(isinstance(b.weighted, nn.Conv2d) == (kind == "conv") for b in blocks)
            name = f"{kind}{number}" if path.rpartition(".")[2].isdigit() else path
            blocks.append(Block(path, name, part, path))
        elif type(part) is nn.Flatten:
            if (part.start_dim, part.end_dim) != (1, -1):
                raise ExportError(path, part, "must flatten all but the batch")
            flat = True
        elif block is None:
            if type(part) in (Step, QuantReLU, nn.BatchNorm1d, nn.BatchNorm2d) or _pool(part):
                raise ExportError(path, part, "must follow a convolution or linear layer")
            raise _unknown(path, part)
        elif isinstance(part, Step | QuantReLU):
            if block.activation is not None:
                raise ExportError(path, part, f"must not follow {block.activation_path}")
            block.activation, block.activation_path, block.last = part, path, path
        elif isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            _check_norm(path, part, block)
            block.norms.append(part)
            block.last = path
        elif (pool := _pool(part)) is not None:
            if block.pool != "none" or flat:
                rule = "must not pool a second time" if not flat else "must come before Flatten"
                raise ExportError(path, part, rule)
            block.pool, block.last = pool, path
        else:
            raise _unknown(path, part)
    if not blocks or blocks[-1].activation is not None:
        raise ValueError("module must end in a convolution or linear layer that gives the outputs")
    return inputs, blocks


def _unknown(path: str, part: nn.Module) -> ExportError:
    if isinstance(part, nn.MaxPool2d):
        return ExportError(path, part, "must pool 2x2 with stride 2, no padding, no ceil_mode")
    if isinstance(part, nn.AdaptiveMaxPool2d):
        return ExportError(path, part, "must pool to 1x1")
    hint = ": golden.quantise.QuantReLU or Step" if isinstance(part, nn.ReLU) else ""
    return ExportError(path, part, f"must be a module that the export knows{hint}")


def _pool(part: nn.Module) -> Pool | None:
    """Which pooling `part` is, None if it is none of the contract's."""
    if isinstance(part, GlobalMaxPool2d):
        return "global"
    if type(part) is nn.AdaptiveMaxPool2d:
        size = part.output_size
        return "global" if size in (1, (1, 1)) and not part.return_indices else None
    if type(part) is not nn.MaxPool2d or part.ceil_mode or part.return_indices:
        return None
    pairs = (part.kernel_size, part.stride, part.padding, part.dilation)
    found = [value if isinstance(value, tuple) else (value, value) for value in pairs]
    return "max2x2" if found == [(2, 2), (2, 2), (0, 0), (1, 1)] else None


def _check_norm(path: str, part: nn.BatchNorm1d | nn.BatchNorm2d, block: Block) -> None:
    if block.activation is not None:
        raise ExportError(path, part, f"must stand before {block.activation_path}, not behind it")
    if part.running_mean is None:
        raise ExportError(path, part, "must track running statistics")
    if block.pool != "none" and part.weight is not None and bool((part.weight < 0).any()):
        raise ExportError(path, part, "must have no negative gamma behind a pooling")
