"""An ONNX file as plain Python: nodes in order and arrays by name."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import extras

LARGEST = 64 * 2**20
"""Greatest size of a file, bytes."""


class OnnxError(ValueError):
    """A file or a node that cannot be imported; the message names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One operation.

    Parameters
    ----------
    op
        Its type, such as ``Conv``.
    name
        The node's own name, or its first output's where it has none.
    inputs, outputs
        Names of tensors; an optional input that is left out is empty.
    attributes
        Numbers, strings, lists of these, and arrays, by name.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)

    def refuse(self, rule: str) -> OnnxError:
        """Give the error that names this node."""
        return OnnxError(f"node {self.name} ({self.op}) {rule}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """A model with one input and one output.

    Parameters
    ----------
    nodes
        In an order in which they can be evaluated.
    arrays
        Constants by name.
    input, output
        Names of the tensors.
    input_shape
        Extents; None where the file leaves one open, such as the batch.
    """

    nodes: tuple[Node, ...]
    arrays: dict[str, NDArray[Any]]
    input: str
    output: str
    input_shape: tuple[int | None, ...]


def read(path: Path) -> Graph:
    """Read an ONNX file.

    Raises
    ------
    OnnxError
        The file is not ONNX, keeps weights in other files, or has several inputs or outputs.
    FileNotFoundError
        There is no such file.
    ValueError
        The package `onnx` is missing (install the extra ``sister``).
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: the model must be an existing file")
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise extras.lacks("an ONNX file needs", "onnx", "sister") from None
    if path.stat().st_size > LARGEST:
        raise OnnxError(f"{path}: must be at most {LARGEST} bytes, not {path.stat().st_size}")
    try:
        model = onnx.load_model(path, load_external_data=False)
    except Exception as error:  # protobuf has an error of its own, by version
        raise OnnxError(f"{path}: must be an ONNX file, not this ({error})") from None
    graph = model.graph
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in graph.initializer):
        raise OnnxError(f"{path}: must hold its weights itself, not in other files")
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = [one for one in graph.input if one.name not in arrays]
    for what, found in (("input", inputs), ("output", graph.output)):
        if len(found) != 1:
            raise OnnxError(f"{path}: must have one {what}, not {len(found)}")

    def value(attribute: Any) -> Any:
        plain = onnx.helper.get_attribute_value(attribute)
        if isinstance(plain, onnx.TensorProto):
            return numpy_helper.to_array(plain)
        return plain.decode() if isinstance(plain, bytes) else plain

    nodes = []
    for one in graph.node:
        attributes = {attribute.name: value(attribute) for attribute in one.attribute}
        if one.op_type == "Constant" and "value" in attributes:
            arrays[one.output[0]] = np.asarray(attributes["value"])
            continue
        nodes.append(
            Node(
                op=one.op_type if one.domain in ("", "ai.onnx") else f"{one.domain}.{one.op_type}",
                name=one.name or (one.output[0] if one.output else "without a name"),
                inputs=tuple(one.input),
                outputs=tuple(one.output),
                attributes=attributes,
            ),
        )
    extents = inputs[0].type.tensor_type.shape.dim
    return Graph(
        nodes=tuple(nodes),
        arrays=arrays,
        input=inputs[0].name,
        output=graph.output[0].name,
        input_shape=tuple(d.dim_value if d.HasField("dim_value") else None for d in extents),
    )
