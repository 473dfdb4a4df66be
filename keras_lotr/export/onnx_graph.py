"""An ONNX graph that is being written: its nodes, its constants, and the file's content.

Keras' own exporters go through TensorFlow, JAX or PyTorch, each with other limits; their graphs
keep the channels last and move them around every convolution. Here each layer is written in the
same way from every backend (`onnx_layers.py`), and channels come first, as ONNX runtimes want them.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from keras_lotr.export.onnx_fold import fold
from keras_lotr.export.onnx_weights import Weight
from keras_lotr.presets.files import write_file

_OPSET, _IR_VERSION = 17, 8
_MANY = 256  # numbers; fewer are not worth a node


@dataclass(eq=False)
class Node:
    """One operation.

    Attributes:
        kind: ONNX's name of it, such as "Conv".
        inputs: names; of inputs of the graph, of outputs of other nodes, or of constants.
        outputs: names; the first is the node's own, too.
        attributes: {name: value}.
    """

    kind: str
    inputs: list
    outputs: list
    attributes: dict


class OnnxGraph:
    """Nodes and constants of an ONNX graph that is being written.

    Attributes:
        nodes: list of `Node`, each after those that it reads.
        constants: {name: array}.

    Example:

    >>> graph = OnnxGraph()
    >>> doubled = graph.node("Add", ["x", "x"], "doubled")
    >>> content = graph.to_bytes({"x": ["batch", 3]}, {doubled: ["batch", 3]})
    """

    def __init__(self):
        self.nodes, self.constants = [], {}
        self._uses = Counter()
        self.left_out = ""  # beginning of layers' names that names in the graph do without

    def unused(self, name):
        """The name, or with a number if it was asked for before: a layer may be called twice."""
        name = name.removeprefix(self.left_out)
        self._uses[name] += 1
        return name if self._uses[name] == 1 else f"{name}/{self._uses[name]}"

    def constant(self, name, array):
        """Keep an array under a name; the name."""
        is_weight = isinstance(array, Weight)
        self.constants[name] = array if is_weight else np.ascontiguousarray(array)
        return name

    def node(self, kind, inputs, outputs, **attributes):
        """Add a node; the name of its output, or of the first of several."""
        outputs = [outputs] if isinstance(outputs, str) else list(outputs)
        self.nodes.append(Node(kind, list(inputs), outputs, attributes))
        return outputs[0]

    def reshape(self, x, shape, name):
        """Another shape; 0 keeps a size, -1 is the rest."""
        shape = self.constant(f"{name}/shape", np.array(shape, np.int64))
        return self.node("Reshape", [x, shape], name)

    def to_bytes(self, inputs, outputs, metadata=None, float16=False):
        """The content of the ONNX file, checked, without nodes that others can do the work of.

        Args:
            inputs, outputs: {name: shape}, sizes that may vary are strings.
            metadata: {str: str} that travels in the file.
            float16: keep weights in 16 bits; runtimes read them as float32 once, when they load.
        """
        from onnx import TensorProto, checker, helper

        fold(self.nodes, self.constants, outputs)
        constants, casts = {}, []
        for name, array in self.constants.items():
            if float16 and array.dtype == np.float32 and array.size >= _MANY:
                array, half = array.astype(np.float16), f"{name}/float16"
                casts.append(helper.make_node("Cast", [half], [name], name, to=TensorProto.FLOAT))
                name = half
            constants[name] = array
        model = self._model(casts, constants, inputs, outputs, metadata)
        checker.check_model(model, full_check=True)
        return model.SerializeToString()

    def _model(self, casts, constants, inputs, outputs, metadata):
        from onnx import TensorProto, helper, numpy_helper

        def described(shapes):
            return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes]

        nodes = [
            helper.make_node(
                node.kind,
                list(map(str, node.inputs)),
                list(map(str, node.outputs)),
                str(node.outputs[0]),
                **node.attributes,
            )
            for node in self.nodes
        ]
        kept = [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in constants.items()
        ]
        graph = helper.make_graph(
            casts + nodes,
            "keras_lotr",
            described(inputs.items()),
            described(outputs.items()),
            kept,
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        helper.set_model_props(model, metadata or {})
        return model

    def save(self, path, inputs, outputs, metadata=None):
        """Write the file; arguments as of `to_bytes`."""
        write_file(path, self.to_bytes(inputs, outputs, metadata))
