"""Arrays and tensors as images: their layout, their type, their range."""

import cv2
import keras
import numpy as np
import pytest

from keras_lotr.images.reading import read_image


def test_shapes():
    grey = np.full((4, 5), 9, np.uint8)
    for array in (grey, grey[..., None], np.dstack([grey] * 3), np.dstack([grey] * 4)):
        assert read_image(array).tolist() == np.full((4, 5, 3), 9).tolist()


def test_numbers():
    assert read_image(np.full((2, 2), 65535, np.uint16)).max() == 255
    assert read_image(np.full((2, 2), 257 * 99, np.uint16))[0, 0, 0] == 99
    assert read_image(np.full((2, 2, 3), 0.5, np.float32))[0, 0, 0] == 128
    assert read_image(np.full((2, 2, 3), 99.6))[0, 0, 0] == 100


@pytest.mark.parametrize("value", [-3, 255.5, 1e9, np.nan, np.inf])
def test_one_float_far_out_of_range(value):
    image = np.full((2, 2, 3), 0.5)
    image[0, 0, 0] = value
    with pytest.raises(ValueError, match=r"0\.\.1 or in 0\.\.255|finite float pixels"):
        read_image(image)


@pytest.mark.parametrize("value", [-0.001, -0.2, 1.004, 1.3, 3])
def test_no_range_hangs_on_one_pixel(value):
    for top in (1, 255):
        image = np.linspace(0, top, 3000).reshape(20, 50, 3)
        expected = read_image(image)
        image[7, 7] = value * top if top == 1 or value < 2 else 2 * top
        found = read_image(image).copy()
        assert found[7, 7].tolist() == [255 if value > 1 else 0] * 3
        found[7, 7] = expected[7, 7]
        np.testing.assert_array_equal(found, expected)


def test_resized_floats(rgb):
    """Bicubic weights leave the range in nearly every image."""
    for top in (1, 255):
        large = cv2.resize(rgb / (255 / top), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        assert large.min() < 0
        assert read_image(large)[18, 15].tolist() == [250, 0, 0]


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (-2.1, 2.6), (0, 65535), (0, 3), (0, 1023)])
def test_other_ranges_of_floats(low, high):
    with pytest.raises(ValueError, match=r"0\.\.1 or in 0\.\.255.* most of them in"):
        read_image(np.linspace(low, high, 3000).reshape(20, 50, 3))


@pytest.mark.parametrize("shape", [(4,), (2, 4, 5, 3), (4, 5, 2), (0, 5, 3), (4, 0)])
def test_wrong_shape(shape):
    with pytest.raises(ValueError, match="Expected one image as an array"):
        read_image(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [complex, object, "datetime64[s]", "S3"])
def test_wrong_dtype(dtype):
    with pytest.raises(ValueError, match=r"integers, floats or bool.*Received"):
        read_image(np.zeros((4, 5, 3), dtype))


@pytest.mark.parametrize(
    "dtype", ["b", "i2", "i4", "i8", "u4", "u8", ">i2", ">u8", ">i4", "f2", ">f4", "f8", ">f8", "g"]
)
def test_every_type(dtype):
    image = np.arange(0, 120, 2, np.uint8).reshape(4, 5, 3)
    np.testing.assert_array_equal(read_image(image.astype(dtype)), image)
    np.testing.assert_array_equal(read_image(image.astype(dtype)[::-1, ::-1]), image[::-1, ::-1])
    with pytest.raises(ValueError, match="Expected .*pixels"):
        read_image(
            np.full((4, 5), -100, dtype) if "u" not in dtype else np.full((4, 5), 256, dtype)
        )


def test_16_bits_and_one():
    deep = np.full((4, 5), 257 * 99, ">u2")
    assert read_image(deep)[0, 0, 0] == 99
    assert read_image(deep > 0)[0, 0, 0] == 255
    with pytest.raises(ValueError, match=r"65535 is white. Received: none above 200"):
        read_image(np.full((4, 5), 200, np.uint16))


def test_channels_first(rgb):
    np.testing.assert_array_equal(read_image(np.moveaxis(rgb, -1, 0)), rgb)
    assert read_image(np.zeros((1, 12, 20), np.uint8)).shape == (12, 20, 3)


def test_tensor_of_the_backend(rgb):
    for dtype, pixels in (("uint8", rgb), ("float32", rgb / 255), ("int32", rgb)):
        tensor = keras.ops.convert_to_tensor(pixels, dtype)
        np.testing.assert_array_equal(read_image(tensor), rgb)
    half = keras.ops.convert_to_tensor(rgb / 255, "bfloat16")
    assert np.abs(read_image(half).astype(int) - rgb).max() <= 1
    np.testing.assert_array_equal(read_image(keras.Variable(rgb / 255)), rgb)


def test_tensor_without_values():
    with pytest.raises(ValueError, match=r"an array with values. Received: KerasTensor"):
        read_image(keras.Input((4, 5, 3)))
