"""From an ONNX graph to a torch `Sequential` that computes the same in float32.

Understood: one chain of ``Conv`` (no groups, no dilation), ``BatchNormalization``, ``Relu``,
``MaxPool`` (2x2), ``GlobalMaxPool``, ``ReduceMax`` over the whole map, ``MatMul`` with an ``Add``
behind it, ``Gemm``, ``Flatten``, ``Unsqueeze``, ``Squeeze``, ``Transpose``, ``Dropout`` and
``Identity``. Anything else, and any branch, is refused by the node's name.

Maps keep the file's orientation; `swapped` gives the network for inputs whose two map axes are
exchanged, as where a file has frames first and the network contract has bands first.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from golden.onnx_graph import Graph, Node, OnnxError
from golden.quantise import GlobalMaxPool2d

MAP = ("n", "c", "h", "w")
"""Batch, channel and the two axes of a map, in torch's order."""

Floats = NDArray[np.float32]


def sequential(graph: Graph) -> tuple[nn.Sequential, dict[str, str]]:
    """Import a graph.

    Returns
    -------
    tuple of nn.Sequential and dict
        The module, in evaluation mode, for maps ``[batch, channel, h, w]``, with layers ``conv1``
        ..., ``dense1`` ...; and by layer the name of the node that it comes from.

    Raises
    ------
    OnnxError
        A node has no place in such a module; the message names it.
    """
    reader = _Reader(graph)
    for node in graph.nodes:
        reader.take(node)
    if reader.tensor != graph.output:
        raise OnnxError(f"the output must be that of the last node, not {graph.output}")
    return nn.Sequential(reader.layers).eval(), reader.origins


def swapped(module: nn.Sequential) -> nn.Sequential:
    """Give a copy of `module` that takes maps with their two axes exchanged.

    Raises
    ------
    OnnxError
        A dense layer sees a map that no global maximum has made a vector.
    """
    other, whole = copy.deepcopy(module), False
    for name, layer in other.named_children():
        whole = whole or isinstance(layer, GlobalMaxPool2d)
        if isinstance(layer, nn.Flatten) and not whole:
            raise OnnxError(f"layer {name} must follow a global maximum, or the axes matter")
        if isinstance(layer, nn.Conv2d):
            layer.weight = nn.Parameter(layer.weight.detach().mT.contiguous())
            for what in ("kernel_size", "stride", "padding"):
                setattr(layer, what, getattr(layer, what)[::-1])
            assert isinstance(layer.padding, tuple)
            layer._reversed_padding_repeated_twice = [p for p in layer.padding[::-1] for _ in "ab"]
    return other


class _Reader:
    """Walks the chain; knows which tensor comes next and which axis of it means what."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensor = graph.input
        # Of a file with fewer than four axes, `Unsqueeze` says which one is the channel.
        self.axes: tuple[str, ...] = {4: MAP, 3: ("n", "h", "w"), 2: ("n", "c")}.get(
            len(graph.input_shape), (),
        )
        if not self.axes:
            extents = len(graph.input_shape)
            raise OnnxError(f"input {graph.input} must have 2 to 4 axes, not {extents}")
        self.layers: OrderedDict[str, nn.Module] = OrderedDict()
        self.origins: dict[str, str] = {}
        self.open: nn.Linear | None = None
        if len(self.axes) == 2:
            self.layers["flatten"] = nn.Flatten()

    def take(self, node: Node) -> None:
        """Import one node."""
        known: dict[str, Callable[[Node], None]] = {
            "Conv": self.conv, "BatchNormalization": self.norm, "Relu": self.relu,
            "MaxPool": self.pool, "GlobalMaxPool": self.global_pool, "ReduceMax": self.reduce,
            "MatMul": self.matmul, "Add": self.add, "Gemm": self.gemm, "Flatten": self.flatten,
            "Unsqueeze": self.unsqueeze, "Squeeze": self.squeeze, "Transpose": self.transpose,
            "Dropout": self.nothing, "Identity": self.nothing,
        }
        if node.op not in known:
            raise node.refuse(f"must be one of {', '.join(known)}")
        if self.tensor not in node.inputs:
            raise node.refuse(f"must follow {self.tensor}: a network is one chain of nodes")
        known[node.op](node)
        if node.op != "MatMul":
            self.open = None
        self.tensor = node.outputs[0]

    def array(self, node: Node, i: int) -> Floats:
        """Give the constant that is input `i`."""
        name = node.inputs[i] if i < len(node.inputs) else ""
        if name not in self.graph.arrays:
            raise node.refuse(f"must have a constant as input {i}, not {name or 'nothing'}")
        array = np.array(self.graph.arrays[name], np.float32)
        if not np.isfinite(array).all():
            raise node.refuse(f"must have finite numbers in {name}")
        return array

    def numbers(self, node: Node, name: str) -> list[int]:
        """Give the axes, an attribute in old files and a constant input in new ones."""
        if name in node.attributes:
            return [int(v) for v in node.attributes[name]]
        if len(node.inputs) > 1 and node.inputs[1] in self.graph.arrays:
            return [int(v) for v in self.graph.arrays[node.inputs[1]].ravel()]
        raise node.refuse(f"must say its {name}")

    def layer(self, kind: str, module: nn.Module, node: Node) -> None:
        """Append a module under the next name of its kind."""
        number = 1 + sum(name.rstrip("0123456789") == kind for name in self.layers)
        self.layers[f"{kind}{number}"] = module
        self.origins[f"{kind}{number}"] = node.name

    def on_map(self, node: Node) -> None:
        """Refuse `node` unless a map comes, in the order of `MAP`."""
        if self.axes != MAP:
            raise node.refuse(f"must take axes {', '.join(MAP)}, not {', '.join(self.axes)}")

    def conv(self, node: Node) -> None:
        self.on_map(node)
        weight = self.array(node, 1)
        if weight.ndim != 4:
            raise node.refuse(f"must have a kernel of 4 axes, not {weight.ndim}")
        said = node.attributes
        for name, wanted in (("group", 1), ("dilations", [1, 1])):
            got = said.get(name, wanted)
            if got != wanted:
                raise node.refuse(f"must have {name} {wanted}, not {got}")
        if said.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            raise node.refuse(f"must state its pads, not auto_pad {said['auto_pad']}")
        pads = list(said.get("pads", [0, 0, 0, 0]))
        if pads[:2] != pads[2:]:
            raise node.refuse(f"must pad both sides alike, not {pads}")
        module = nn.Conv2d(
            weight.shape[1],
            weight.shape[0],
            (weight.shape[2], weight.shape[3]),
            stride=tuple(said.get("strides", [1, 1])),
            padding=(pads[0], pads[1]),
        )
        bias = self.array(node, 2) if len(node.inputs) > 2 else np.zeros(len(weight), np.float32)
        self.layer("conv", _with(module, weight, bias), node)

    def norm(self, node: Node) -> None:
        gamma, beta, mean, variance = (torch.from_numpy(self.array(node, i)) for i in range(1, 5))
        kind = nn.BatchNorm2d if self.axes == MAP else nn.BatchNorm1d
        module = kind(len(gamma), eps=float(node.attributes.get("epsilon", 1e-5)))
        module.load_state_dict(
            {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance},
            strict=False,
        )
        self.layer("norm", module, node)

    def relu(self, node: Node) -> None:
        self.layer("relu", nn.ReLU(), node)

    def pool(self, node: Node) -> None:
        self.on_map(node)
        said = node.attributes
        shape = (said.get("kernel_shape"), said.get("strides", [1, 1]))
        plain = not any(said.get("pads", [])) and said.get("ceil_mode", 0) == 0
        if shape != ([2, 2], [2, 2]) or not plain or said.get("dilations", [1, 1]) != [1, 1]:
            raise node.refuse("must pool 2x2 with strides of 2, no padding, no ceil_mode")
        if said.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            raise node.refuse(f"must not pad, not auto_pad {said['auto_pad']}")
        self.layer("pool", nn.MaxPool2d(2), node)

    def global_pool(self, node: Node) -> None:
        self.on_map(node)
        self.layer("pool", GlobalMaxPool2d(), node)

    def reduce(self, node: Node) -> None:
        chosen = {axis % len(self.axes) for axis in self.numbers(node, "axes")}
        if len(self.axes) != 4 or {self.axes[i] for i in chosen} != {"h", "w"}:
            raise node.refuse("must take the maximum over both axes of a map, and no others")
        self.layer("pool", GlobalMaxPool2d(), node)
        if node.attributes.get("keepdims", 1):
            return
        self.axes = tuple(axis for i, axis in enumerate(self.axes) if i not in chosen)
        self.layer("flatten", nn.Flatten(), node)

    def dense(self, node: Node, weight: Floats, bias: Floats) -> nn.Linear:
        """Append a dense layer of ``weight [out, in]``."""
        if self.axes != ("n", "c"):
            raise node.refuse(f"must take a vector, not axes {', '.join(self.axes)}")
        if weight.ndim != 2:
            raise node.refuse(f"must have weights of 2 axes, not {weight.ndim}")
        module = nn.Linear(weight.shape[1], weight.shape[0])
        self.layer("dense", _with(module, weight, bias), node)
        return module

    def matmul(self, node: Node) -> None:
        if node.inputs[0] != self.tensor:
            raise node.refuse("must have its weights as the second input")
        weight = self.array(node, 1).T
        self.open = self.dense(node, weight, np.zeros(len(weight), np.float32))

    def add(self, node: Node) -> None:
        """Take the bias of the MatMul before it."""
        if self.open is None:
            raise node.refuse("must follow a MatMul, whose bias it is")
        bias = self.array(node, 1 if node.inputs[0] == self.tensor else 0)
        if bias.size != self.open.out_features:
            raise node.refuse(f"must add {self.open.out_features} numbers, not {bias.size}")
        _with(self.open, None, bias.reshape(-1))

    def gemm(self, node: Node) -> None:
        said = node.attributes
        if said.get("alpha", 1.0) != 1 or said.get("beta", 1.0) != 1 or said.get("transA", 0):
            raise node.refuse("must have alpha 1, beta 1 and transA 0")
        weight = self.array(node, 1)
        weight = weight if said.get("transB", 0) else weight.T
        bias = self.array(node, 2) if len(node.inputs) > 2 else np.zeros(len(weight), np.float32)
        self.dense(node, weight, np.broadcast_to(bias.reshape(-1), (len(weight),)).copy())

    def flatten(self, node: Node) -> None:
        if node.attributes.get("axis", 1) != 1 or self.axes[:2] != ("n", "c"):
            raise node.refuse("must flatten all but the batch, channels first")
        self.axes = ("n", "c")
        self.layer("flatten", nn.Flatten(), node)

    def unsqueeze(self, node: Node) -> None:
        axes = self.numbers(node, "axes")
        if len(axes) != 1 or "c" in self.axes or self.layers:
            raise node.refuse("must make the channels of a map, and only before the first layer")
        at = axes[0] % (len(self.axes) + 1)
        self.axes = (*self.axes[:at], "c", *self.axes[at:])

    def squeeze(self, node: Node) -> None:
        chosen = {axis % len(self.axes) for axis in self.numbers(node, "axes")}
        pooled = any(isinstance(layer, GlobalMaxPool2d) for layer in self.layers.values())
        if {self.axes[i] for i in chosen} != {"h", "w"} or not pooled:
            raise node.refuse("must take away both axes of a map, behind a global maximum")
        self.axes = tuple(axis for i, axis in enumerate(self.axes) if i not in chosen)
        self.layer("flatten", nn.Flatten(), node)

    def transpose(self, node: Node) -> None:
        order = node.attributes.get("perm", range(len(self.axes))[::-1])
        self.axes = tuple(self.axes[i] for i in order)

    def nothing(self, node: Node) -> None:
        """Pass a node by that changes nothing once a network is trained."""


def _with(module: nn.Module, weight: Floats | None, bias: Floats) -> nn.Module:
    state = {} if weight is None else {"weight": torch.tensor(weight)}
    try:
        module.load_state_dict(state | {"bias": torch.tensor(bias)}, strict=False)
    except RuntimeError as error:
        raise OnnxError(" ".join(str(error).split())) from None
    return module
