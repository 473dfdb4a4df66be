"""Nodes of an ONNX graph that go into their neighbours, so that files stay small and fast.

Layers are written one by one, each as it is: a batch norm is a node, so are padding and scaling.
Most of them can be done by a convolution before or after them, and are taken out here. A node stays
if anything that reads it could not take its work.
"""

import numpy as np

_NEVER_NEGATIVE = {"Relu", "Sigmoid"}


def fold(nodes, constants, outputs):
    """Take out batch norms, paddings and scales that convolutions can do, in place.

    Args:
        nodes: list of `onnx_graph.Node`, each after those that it reads.
        constants: {name: array}.
        outputs: names that must stay.
    """
    folding = _Folding(nodes, constants, outputs)
    for node in list(nodes):
        if node.kind == "BatchNormalization":
            folding.batch_norm(node)
    # The last first: what was before it then comes before the convolution.
    for node in reversed(nodes[:]):
        if node.kind == "Pad":
            folding.padding(node)
        elif node.kind == "Mul":
            folding.scale(node)


class _Folding:
    def __init__(self, nodes, constants, outputs):
        self.nodes, self.constants, self.outputs = nodes, constants, set(outputs)
        self.makers = {name: node for node in nodes for name in node.outputs}
        self.readers = {}
        for node in nodes:
            for name in node.inputs:
                self.readers.setdefault(name, []).append(node)

    def batch_norm(self, node):
        """Into the convolution that it follows, if nothing else reads that."""
        x, *names = node.inputs
        before = self.makers.get(x)
        if before is None or before.kind not in ("Conv", "ConvTranspose"):
            return
        if len(self.readers[x]) > 1 or {x, node.outputs[0]} & self.outputs:
            return
        gamma, beta, mean, variance = (self.constants[name] for name in names)
        factor = gamma / np.sqrt(variance + np.float32(node.attributes["epsilon"]))
        by_output = (-1, 1, 1, 1) if before.kind == "Conv" else (1, -1, 1, 1)
        _, kernel, bias = before.inputs
        self.constants[kernel] = self.constants[kernel] * factor.reshape(by_output)
        shift = beta - mean * factor
        own = self.constants[bias]
        self.constants[bias] = shift + own * factor if np.any(own) else shift
        self.take_out(node)

    def padding(self, node):
        """Into the convolutions and the poolings of maxima that read it."""
        pads, value = (self.constants[name] for name in node.inputs[1:])
        readers = self.readers.get(node.outputs[0], [])
        if node.outputs[0] in self.outputs or not readers or not _pads_height_and_width(pads):
            return
        sides = [int(pads[i]) for i in (2, 3, 6, 7)]  # top, left, bottom, right
        if not all(self.can_pad(reader, node, sides, value) for reader in readers):
            return
        for reader in readers:
            own = reader.attributes["pads"]
            reader.attributes["pads"] = [a + b for a, b in zip(own, sides, strict=True)]
        self.take_out(node)

    def can_pad(self, reader, node, sides, value):
        if reader.kind == "Conv":
            return value == 0
        if reader.kind != "MaxPool":
            return False
        # ONNX pads with minus infinity, which zero is as good as where no number is less.
        same = value == -np.inf or (value == 0 and self.never_negative(node.inputs[0]))
        height, width = reader.attributes["kernel_shape"]
        pads = [a + b for a, b in zip(reader.attributes["pads"], sides, strict=True)]
        return same and max(pads[::2]) < height and max(pads[1::2]) < width

    def never_negative(self, name):
        maker = self.makers.get(name)
        if maker is None:
            return False
        if maker.kind == "Clip":
            return self.constants[maker.inputs[1]] >= 0
        return maker.kind in _NEVER_NEGATIVE

    def scale(self, node):
        """One number into the kernels of the convolutions that read it."""
        scale = self.constants.get(node.inputs[1])
        readers = self.readers.get(node.outputs[0], [])
        if scale is None or scale.size > 1 or node.outputs[0] in self.outputs or not readers:
            return
        if not all(reader.kind in ("Conv", "ConvTranspose") for reader in readers):
            return
        for reader in readers:
            self.constants[reader.inputs[1]] = self.constants[reader.inputs[1]] * scale.reshape(())
        self.take_out(node)

    def take_out(self, node):
        """What reads the node reads what the node has read."""
        before, after = node.inputs[0], node.outputs[0]
        readers = self.readers.pop(after, [])
        for reader in readers:
            reader.inputs = [before if name == after else name for name in reader.inputs]
        others = [reader for reader in self.readers[before] if reader is not node]
        self.readers[before] = others + readers
        for name in node.inputs[1:]:
            if len(self.readers[name]) == 1:
                del self.constants[name]
        self.nodes.remove(node)


def _pads_height_and_width(pads):
    return not np.any(pads[[0, 1, 4, 5]])
