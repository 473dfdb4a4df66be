"""The shape and the colours of pixels, which a video keeps."""

from fractions import Fraction

import numpy as np
import pytest
from test_video_files import frames_of, no_faces, write

from keras_lotr import annotate_video

pytestmark = pytest.mark.once
av = pytest.importorskip("av")

COLOUR = (200, 60, 40)


def flat(path, aspect=None, codec="libx264", pix_fmt="yuv420p", yuv=(), **tags):
    """Frames of one colour, RGB or (y, u, v); tags are attributes of the codec context."""
    with av.open(str(path), "w") as file:
        video = file.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, pix_fmt
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        for name, value in tags.items():
            setattr(video.codec_context, name, value)
        for i in range(3):
            if yuv:
                frame = av.VideoFrame(64, 48, pix_fmt)
                for plane, value in zip(frame.planes, yuv, strict=True):
                    plane.update(bytes([value]) * plane.buffer_size)
            else:
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), COLOUR, np.uint8), "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path


def look(path):
    """The first frame's tags, and its numbers."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frame = next(file.decode(video=0))
        yuv = frame.to_ndarray()
        codec = stream.codec_context
        tags = frame.colorspace, codec.color_primaries, codec.color_trc
        return stream.sample_aspect_ratio, tags, yuv[[20, 54, 66], 20]


def annotated(source, ending):
    output = source.with_name(f"out{ending}")
    annotate_video(no_faces, source, output)
    return output


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_the_shape_of_pixels_is_kept(tmp_path, ending):
    source = flat(tmp_path / "in.mp4", Fraction(16, 11))
    assert look(annotated(source, ending))[0] == look(source)[0] == Fraction(16, 11)


def test_the_shape_of_pixels_is_turned_with_them(tmp_path):
    source = flat(tmp_path / "in.mp4", Fraction(16, 11))
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = (np.array([0, 1, 0, -1, 0, 0, 0, 0, 16384], ">i4") * 65536).tobytes()
    source.write_bytes(data)
    assert look(annotated(source, ".mp4"))[0] == Fraction(11, 16)


def test_that_webm_does_not_get_the_shape_of_pixels_is_told(tmp_path):
    source = flat(tmp_path / "in.mp4", Fraction(16, 11))
    with pytest.warns(UserWarning, match="not square but 16:11.*all looks narrower there. Take "):
        annotated(source, ".webm")


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("matrix", [1, 2, 5, 6, 7, 9])
def test_colours_are_kept(tmp_path, matrix, ending):
    primaries = {7: 1, 5: 5}.get(matrix, matrix)
    tags = {"colorspace": matrix, "color_primaries": primaries, "color_trc": primaries}
    if matrix == 9:
        tags["color_trc"] = 14
    source = flat(tmp_path / "in.mkv", yuv=(92, 105, 190), **tags)
    _, found, numbers = look(annotated(source, ending))
    assert found == look(source)[1] == tuple(tags.values())
    np.testing.assert_allclose(numbers, (92, 105, 190), atol=3)


@pytest.mark.parametrize("full", [{}, {"colorspace": 1}])
def test_a_video_in_full_range_looks_the_same(tmp_path, full):
    source = flat(tmp_path / "in.mkv", pix_fmt="yuvj420p", yuv=(88, 101, 198), **full)
    seen = [frames_of(path)[0].image[20, 20] for path in (source, annotated(source, ".mp4"))]
    np.testing.assert_allclose(*np.int32(seen), atol=4)


def test_a_video_in_rgb_becomes_one_that_says_its_matrix(tmp_path):
    source = flat(tmp_path / "in.mkv", codec="libx264rgb", pix_fmt="rgb24")
    output = annotated(source, ".mp4")
    assert look(output)[1][0] == 1
    np.testing.assert_allclose(frames_of(output)[0].image[20, 20], COLOUR, atol=4)


@pytest.mark.parametrize("matrix", [8, 10, 14])
def test_a_matrix_that_ffmpeg_lacks(tmp_path, matrix):
    source = flat(tmp_path / "in.mkv", yuv=(102, 98, 191), colorspace=matrix)
    _, (found, *_), numbers = look(annotated(source, ".mp4"))
    assert found == matrix
    np.testing.assert_allclose(numbers, (102, 98, 191), atol=2)


def test_square_pixels_need_no_word(tmp_path, recwarn):
    annotated(write(tmp_path / "in.mp4", [0, 40]), ".webm")
    assert not recwarn.list
