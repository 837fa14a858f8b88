"""From an ONNX graph to torch: what is understood, and what is refused by the node's name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from golden.onnx_graph import Graph, Node, OnnxError, read
from golden.onnx_import import sequential, swapped

RNG = np.random.default_rng(3)


def array(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


ARRAYS = {
    "k1": array(4, 1, 3, 3), "b1": array(4), "k2": array(5, 4, 3, 1), "gamma": array(5),
    "beta": array(5), "mean": array(5), "var": array(5) ** 2 + 1, "w1": array(5, 6),
    "c1": array(6), "w2": array(2, 6), "c2": array(2), "last": np.array([3]),
}


def node(op: str, inputs: str, output: str, **attributes: Any) -> Node:
    """A node named ``the <op>``."""
    names = tuple(inputs.split())
    return Node(
        op=op, name=f"the {op}", inputs=names, outputs=(output,), attributes=attributes,
    )


def graph(*nodes: Node, shape: tuple[int | None, ...] = (None, 12, 10)) -> Graph:
    return Graph(
        nodes=nodes, arrays=ARRAYS, input="in", output=nodes[-1].outputs[0], input_shape=shape,
    )


CHAIN = (
    node("Unsqueeze", "in last", "a"),
    node("Transpose", "a", "b", perm=[0, 3, 1, 2]),
    node("Conv", "b k1 b1", "c", pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
    node("Relu", "c", "d"),
    node("MaxPool", "d", "e", kernel_shape=[2, 2], strides=[2, 2]),
    node("Conv", "e k2", "f", pads=[1, 0, 1, 0], strides=[2, 1]),
    node("BatchNormalization", "f gamma beta mean var", "g", epsilon=1e-3),
    node("Relu", "g", "h"),
    node("Transpose", "h", "i", perm=[0, 2, 3, 1]),
    node("ReduceMax", "i", "j", axes=[1, 2], keepdims=0),
    node("MatMul", "j w1", "k"),
    node("Add", "c1 k", "l"),
    node("Relu", "l", "m"),
    node("Dropout", "m", "n"),
    node("Gemm", "n w2 c2", "o", transB=1),
)


def by_hand(x: torch.Tensor) -> torch.Tensor:
    a = {name: torch.tensor(value) for name, value in ARRAYS.items()}
    x = torch.relu(torch.conv2d(x[:, None], a["k1"], a["b1"], padding=1))
    x = torch.conv2d(torch.max_pool2d(x, 2), a["k2"], stride=(2, 1), padding=(1, 0))
    gain = a["gamma"] / (a["var"] + 1e-3).sqrt()
    x = (x - a["mean"][:, None, None]) * gain[:, None, None] + a["beta"][:, None, None]
    x = torch.relu(x).amax((2, 3))
    return torch.relu(x @ a["w1"] + a["c1"]) @ a["w2"].T + a["c2"]


def test_a_graph_computes_the_same_in_torch() -> None:
    module, origins = sequential(graph(*CHAIN))
    x = torch.tensor(array(3, 12, 10))
    with torch.no_grad():
        torch.testing.assert_close(module(x[:, None]), by_hand(x))
        torch.testing.assert_close(swapped(module)(x[:, None].mT), by_hand(x))
    assert origins["conv2"] == "the Conv"
    assert origins["dense1"] == "the MatMul"
    assert list(origins) == [
        "conv1", "relu1", "pool1", "conv2", "norm1", "relu2", "pool2", "flatten1", "dense1",
        "relu3", "dense2",
    ]


def test_a_global_maximum_with_a_squeeze() -> None:
    module, _ = sequential(
        graph(
            node("Conv", "in k1 b1", "a"),
            node("GlobalMaxPool", "a", "b"),
            node("Squeeze", "b", "c", axes=[2, 3]),
            shape=(1, 1, 9, 9),
        ),
    )
    x = torch.tensor(array(2, 1, 9, 9))
    expected = torch.conv2d(x, torch.tensor(ARRAYS["k1"]), torch.tensor(ARRAYS["b1"])).amax((2, 3))
    torch.testing.assert_close(module(x), expected)


def test_axes_matter_where_a_map_is_flattened() -> None:
    module, _ = sequential(
        graph(node("Conv", "in k1 b1", "a"), node("Flatten", "a", "b"), shape=(1, 1, 9, 9)),
    )
    with pytest.raises(OnnxError, match="layer flatten1 must follow a global maximum"):
        swapped(module)


def changed(at: int, **changes: Any) -> tuple[Node, ...]:
    attributes = CHAIN[at].attributes | changes.pop("attributes", {})
    one = replace(CHAIN[at], name="odd/one:0", attributes=attributes, **changes)
    return (*CHAIN[:at], one, *CHAIN[at + 1 :])


@pytest.mark.parametrize(
    ("nodes", "rule"),
    [
        (changed(3, op="Sigmoid"), r"must be one of Conv, BatchNormalization, Relu, "),
        (changed(3, op="com.microsoft.Relu"), "must be one of Conv,"),
        (changed(4, inputs=("b",)), "must follow d: a network is one chain of nodes"),
        (changed(2, attributes={"group": 2}), "must have group 1, not 2"),
        (changed(2, attributes={"dilations": [2, 1]}), r"must have dilations \[1, 1\], not"),
        (changed(2, attributes={"pads": [1, 1, 0, 1]}), "must pad both sides alike"),
        (changed(2, attributes={"auto_pad": "SAME_UPPER"}), "must state its pads, not auto_pad"),
        (changed(2, inputs=("b", "nowhere")), "must have a constant as input 1, not nowhere"),
        (changed(2, inputs=("b", "w1")), "must have a kernel of 4 axes, not 2"),
        (changed(1, attributes={"perm": [0, 1, 2, 3]}), None),
        (changed(4, attributes={"ceil_mode": 1}), "must pool 2x2 with strides of 2"),
        (changed(4, attributes={"kernel_shape": [3, 3]}), "must pool 2x2 with strides of 2"),
        (changed(9, attributes={"axes": [1]}), "must take the maximum over both axes of a map"),
        (changed(9, attributes={"axes": [1, 3]}), "must take the maximum over both axes of a map"),
        (changed(10, inputs=("w1", "j")), "must have its weights as the second input"),
        (changed(11, inputs=("k", "c2")), "must add 6 numbers, not 2"),
        (changed(11, inputs=("k", "j")), "must have a constant as input 1, not j"),
        (changed(14, attributes={"alpha": 0.5}), "must have alpha 1, beta 1 and transA 0"),
        ((*CHAIN, node("Add", "o c2", "p")), "must follow a MatMul, whose bias it is"),
        ((*CHAIN, node("Conv", "o k1", "p")), "must take axes n, c, h, w, not n, c"),
    ],
)
def test_what_has_no_place_is_refused_by_name(nodes: tuple[Node, ...], rule: str | None) -> None:
    name = "the Conv" if rule is None else "(odd/one:0|the Add|the Conv)"
    rule = "must take axes n, c, h, w, not n, h, w, c" if rule is None else rule
    with pytest.raises(OnnxError, match=rf"node {name} \(.*\) {rule}"):
        sequential(graph(*nodes))


def test_weights_that_are_no_numbers_are_refused() -> None:
    broken = replace(graph(*CHAIN), arrays=ARRAYS | {"k2": np.full((5, 4, 3, 1), np.nan)})
    with pytest.raises(OnnxError, match="node the Conv .* must have finite numbers in k2"):
        sequential(broken)


def test_an_output_in_the_middle_is_refused() -> None:
    with pytest.raises(OnnxError, match="the output must be that of the last node, not m"):
        sequential(replace(graph(*CHAIN), output="m"))


def test_a_file_says_the_same(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra sister is not installed")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node(one.op, one.inputs, one.outputs, name=one.name, **one.attributes)
        for one in CHAIN
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "some",
            [helper.make_tensor_value_info("in", kind, ["N", 12, 10])],
            [helper.make_tensor_value_info("o", kind, ["N", 2])],
            [onnx.numpy_helper.from_array(value, name) for name, value in ARRAYS.items()],
        ),
    )
    onnx.save(model, tmp_path / "some.onnx")
    found = read(tmp_path / "some.onnx")
    assert found.input_shape == (None, 12, 10)
    assert [one.name for one in found.nodes] == [one.name for one in CHAIN]
    x = torch.tensor(array(2, 12, 10))
    with torch.no_grad():
        torch.testing.assert_close(sequential(found)[0](x[:, None]), by_hand(x))


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x07\x12\x04abcd" * 9])
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra sister is not installed")
    (tmp_path / "some.onnx").write_bytes(content)
    with pytest.raises(OnnxError, match="some.onnx: must "):
        read(tmp_path / "some.onnx")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none.onnx: the model must be an existing file"):
        read(tmp_path / "none.onnx")


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    (tmp_path / "some.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"needs the package onnx: .*'\.\[sister\]'$"):
        read(tmp_path / "some.onnx")
