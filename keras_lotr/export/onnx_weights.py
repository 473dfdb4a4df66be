"""Weights that know where they come from, so that an ONNX file can leave them in another file.

The writers compute constants from weights with plain NumPy: transposed kernels, batch norms in
kernels, positions times projections. A `Weight` remembers this arithmetic. `write_constant` can
therefore write a constant as ONNX nodes that read the numbers of a preset's model.safetensors, and
a preset holds its weights once. Runtimes compute such constants once, when they load the file.
"""

import numpy as np

_OPERATIONS = {
    np.add: "Add", np.subtract: "Sub", np.multiply: "Mul", np.true_divide: "Div",
    np.sqrt: "Sqrt", np.matmul: "MatMul",
}  # fmt: skip


class Weight(np.ndarray):
    """A float32 array with `source`, by which it can be computed again.

    `source` is a Keras variable, or an ONNX operation with its inputs and attributes, or None if
    it was computed in a way that has no counterpart here.

    Example:

    >>> kernel = Weight.of(np.ones((2, 3), np.float32), "a variable")
    >>> (kernel.T * np.float32(2)).source[0], kernel.max().item()
    ('Mul', 1.0)
    """

    source = None

    @classmethod
    def of(cls, array, source):
        weight = np.asarray(array).view(cls)
        weight.source = source
        return weight

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [_plain(x) for x in inputs]
        for out in kwargs.get("out", ()):
            if isinstance(out, Weight):
                out.source = None  # it gets other numbers
        if "out" in kwargs:
            kwargs["out"] = tuple(map(np.asarray, kwargs["out"]))
        result = getattr(ufunc, method)(*plain, **kwargs)
        is_known = method == "__call__" and ufunc in _OPERATIONS and not kwargs
        return _derived(result, _OPERATIONS[ufunc], inputs) if is_known else result

    def __array_function__(self, func, types, args, kwargs):
        result = func(*_plain(args), **{k: _plain(v) for k, v in kwargs.items()})
        if func is np.concatenate:
            return _derived(result, "Concat", args[0], axis=kwargs.get("axis", 0))
        return result

    def transpose(self, *axes):
        result = np.asarray(self).transpose(*axes)
        order = axes[0] if len(axes) == 1 and axes[0] is not None else axes
        order = order if order and order[0] is not None else range(self.ndim)[::-1]
        return _derived(result, "Transpose", [self], perm=list(order))

    @property
    def T(self):
        return self.transpose()

    def reshape(self, *shape):
        result = np.asarray(self).reshape(*shape)
        return _derived(result, "Reshape", [self, np.array(result.shape, np.int64)])

    def __getitem__(self, key):
        result = np.asarray(self)[key]
        keys = key if isinstance(key, tuple) else (key,)
        is_a_shape = all(k is None or k is Ellipsis or _is_whole(k) for k in keys)
        return self.reshape(result.shape) if is_a_shape else result


def _is_whole(key):
    return isinstance(key, slice) and key == slice(None)


def _plain(value):
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return np.asarray(value) if isinstance(value, Weight) else value


def _derived(result, kind, inputs, **attributes):
    """The result of an operation; a `Weight` if all that it was computed from is float32."""
    arrays = [np.float32(x) if isinstance(x, int | float) else x for x in inputs]
    arrays = [x if isinstance(x, np.ndarray) else np.asarray(x) for x in arrays]
    floats = arrays[:1] if kind == "Reshape" else arrays
    known = all(getattr(x, "source", None) is not None for x in arrays if isinstance(x, Weight))
    if not known or {x.dtype for x in (*floats, result)} != {np.dtype(np.float32)}:
        return result
    return Weight.of(result, (kind, arrays, attributes))


def weight_name(key):
    """The name in the graph of a weight that lies in another file."""
    return f"weights/{key}"


def write_constant(graph, name, array, places):
    """Write a constant as nodes that compute it from weights in another file.

    Args:
        graph: has `node` and `constant`, as `OnnxGraph`.
        name: of the constant.
        array: `Weight`, or another array, which is kept in the graph.
        places: {id of a Keras variable: key of its weight}; a `Weight` that comes from another
            variable is kept in the graph.

    Returns:
        Set of keys of the weights that the nodes read.
    """
    if not isinstance(array, Weight) or not _is_there(array, places):
        graph.constant(name, np.asarray(array))
        return set()
    keys = set()
    count = 0

    def write(part):
        nonlocal count
        count += 1
        own = name if count == 1 else f"{name}/step{count}"
        if not isinstance(part, Weight):
            return graph.constant(own, part)
        if not isinstance(part.source, tuple):
            key = places[id(part.source)]
            keys.add(key)
            return graph.node("Cast", [weight_name(key)], own, to=1)  # float32
        kind, inputs, attributes = part.source
        return graph.node(kind, [write(x) for x in inputs], own, **attributes)

    write(array)
    return keys


def _is_there(array, places):
    """Whether all weights that an array was computed from are in the file."""
    if not isinstance(array, Weight):
        return True
    if isinstance(array.source, tuple):
        return all(_is_there(x, places) for x in array.source[1])
    return id(array.source) in places
