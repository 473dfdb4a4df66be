"""Arrays and tensors of a user -> (H, W, 3) uint8 RGB: their layout and their range."""

import numpy as np

_CHANNELS = (1, 3, 4)
# A file's or an array's range is judged by its lowest and highest hundredth, never by one pixel,
# and by so many values at most.
_LOWEST, _HIGHEST, _MANY = 0.01, 0.99, 100_000
# Highest hundredths of floats in 0..1, with light that is brighter than white, and in 0..255,
# with what sharpening adds. Nothing that is between the two can be told.
_UP_TO_1, _FROM_255, _UP_TO_255 = 1.5, 8, 300
_FAR_ABOVE_1 = 16


def is_array(source):
    """Whether it is an array, or a tensor of any library."""
    return hasattr(source, "__array__") or (hasattr(source, "shape") and hasattr(source, "dtype"))


def image_of_array(source):
    """An array or tensor as an image.

    Args:
        source: (H, W), (H, W, 1), (H, W, 3), (H, W, 4), or channels first, (1, H, W), (3, H, W),
            (4, H, W), of at least 5 pixels each way: see `read_image`.

    Returns:
        (H, W, 3) uint8 array, RGB.

    Raises:
        ValueError: not such an array.

    Example:

    >>> image_of_array(np.ones((3, 48, 64), np.float32)).shape
    (48, 64, 3)
    """
    array = _channels_last(_numpy(source))
    array = scaled_to_uint8(array[..., :3])
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def _numpy(tensor):
    """An array or tensor of any library as NumPy array, in the byte order of the machine."""
    try:
        if hasattr(tensor, "detach"):  # PyTorch: off the tape and off the GPU
            tensor = tensor.detach().cpu()
            tensor = tensor.float() if "bfloat16" in str(tensor.dtype) else tensor
        array = np.asarray(tensor.numpy() if hasattr(tensor, "numpy") else tensor)
        if array.dtype.name == "bfloat16":
            array = array.astype(np.float32)
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    except Exception as error:  # each library has errors of its own, such as for symbolic tensors
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"Expected an array with values. Received: {type(tensor).__name__}: {reason}"
        ) from None


def _channels_last(array):
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3 and array.shape[-1] not in _CHANNELS and array.shape[0] in _CHANNELS:
        # As torchvision has images. Nothing else can be meant, but by a very small array.
        array = np.moveaxis(array, 0, -1) if min(array.shape[1:]) > 4 else array
    if array.ndim != 3 or array.shape[-1] not in _CHANNELS or not array.size:
        raise ValueError(
            "Expected one image as an array (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA; "
            f"several as a list. Received: shape {array.shape}"
        )
    return array


def scaled_to_uint8(array, of_file=False):
    """Pixels of any type as uint8.

    Args:
        array: of any shape.
        of_file: all bits of an integer count, as in image files; otherwise integers that are not
            uint8 or uint16 must hold 0..255.

    Raises:
        ValueError: another type, or values of no known range.
    """
    dtype = array.dtype
    if dtype == np.uint8:
        return array
    if dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if np.issubdtype(dtype, np.floating):
        return _of_floats(array)
    if dtype.kind not in "iu":  # NumPy counts durations among the integers
        raise ValueError(
            f"Expected an image of integers, floats or bool. Received: an array of {dtype}"
        )
    low, high = int(array.min()), int(array.max())
    if dtype == np.uint16 and (of_file or high == 0 or high > 255):
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if dtype == np.uint16:
        raise ValueError(
            "Expected uint16 pixels in 0..65535, of which 65535 is white. Received: none above "
            f"{high}; write image.astype('uint8') if 255 is white"
        )
    if low >= 0 and high <= 255:
        return array.astype(np.uint8)
    if of_file and np.issubdtype(dtype, np.unsignedinteger):
        return (array >> (8 * dtype.itemsize - 8)).astype(np.uint8)
    raise ValueError(
        f"Expected pixels of {dtype} in 0..255. Received: {low} .. {high}; scale them, or write "
        "image.clip(0, 255)"
    )


def _of_floats(array):
    """0..1 or 0..255, whichever nearly all pixels are in; the few that lie beyond are clipped."""
    lowest, highest = float(array.min()), float(array.max())
    if not np.isfinite(lowest + highest):
        raise ValueError(
            "Expected finite float pixels. Received: NaN or infinity among them; replace them, for "
            "example with numpy.nan_to_num"
        )
    values = array.reshape(-1)[:: max(1, array.size // _MANY)]
    low = float(np.quantile(values, _LOWEST, method="higher"))
    high = float(np.quantile(values, _HIGHEST, method="lower"))
    top = 0
    if high <= _UP_TO_1 and highest <= _FAR_ABOVE_1:
        top = 1
    elif _FROM_255 <= high <= _UP_TO_255:
        top = 255
    if not top or low < -0.25 * top or lowest < -top:
        hint = "; undo a normalization by mean and deviation first" if low < 0 else ""
        raise ValueError(
            "Expected float pixels in 0..1 or in 0..255, but for a few a little beyond. Received: "
            f"{lowest:.6g} .. {highest:.6g}, most of them in {low:.6g} .. {high:.6g}{hint}"
        )
    return np.rint(array.clip(0, top).astype(np.float32) * (255 / top)).astype(np.uint8)
