"""Reading and writing videos: times, sound, rotation, sizes, and files that are broken."""

import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny import largest_file

from keras_lotr import annotate_video
from keras_lotr.video.reading import VideoReader
from keras_lotr.video.writing import ENCODERS

pytestmark = pytest.mark.once
av = pytest.importorskip("av")


def no_faces(images):
    return [[] for _ in images]


def frames_of(path):
    with VideoReader(path) as reader:
        return list(reader.frames())


def times_of(path):
    return [round(frame.time, 3) for frame in frames_of(path)]


def colour(i, size=(64, 48)):
    """An image whose colour says which one it is, with a white corner at the top left."""
    image = np.full((size[1], size[0], 3), 40 + 5 * (i % 40), np.uint8)
    image[: size[1] // 4, : size[0] // 4] = 255
    return image


def write(path, times, sound=False, size=(64, 48)):
    """A video with frames at these milliseconds, and a tone."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=25, options={"crf": "1"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        tone = file.add_stream("aac", rate=44100) if sound else None
        for i, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(colour(i, size), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if sound:
            for i in range(44 * times[-1] // 1024):
                wave = np.sin(np.arange(1024) / 20)[None].astype(np.float32) / 10
                frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 44100, 1024 * i
                file.mux(tone.encode(frame))
            file.mux(tone.encode(None))
    return path


def sound_of(path):
    """The packets of the sound."""
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


UNEVEN = [0, 33, 66, 150, 180, 400, 433, 900]


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".webm"])
def test_times_are_kept(tmp_path, ending):
    source, output = write(tmp_path / "in.mp4", UNEVEN), tmp_path / f"out{ending}"
    annotate_video(no_faces, source, output)
    assert times_of(output) == times_of(source) == [time / 1000 for time in UNEVEN]


@pytest.mark.parametrize("ending", ENCODERS)
@pytest.mark.parametrize("last", [[], [1960], [7000], [7000, 7040], [3000, 7000], [1960, 7000]])
def test_the_length_is_kept(tmp_path, last, ending):
    times = [*range(0, 1940, 40), *last]
    source, output = write(tmp_path / "in.mkv", times), tmp_path / f"out{ending}"
    annotate_video(no_faces, source, output)
    assert times_of(output) == [time / 1000 for time in times]
    with av.open(str(output)) as file:
        assert file.duration / 1e6 == pytest.approx(times[-1] / 1000 + 0.04, abs=0.011)


def test_every_ending_can_be_read_again(tmp_path):
    source = write(tmp_path / "in.mp4", [0, 40, 80, 120])
    for ending in ENCODERS:
        annotate_video(no_faces, source, tmp_path / f"out{ending}")
        found = frames_of(tmp_path / f"out{ending}")
        for frame, there in zip(found, frames_of(source), strict=True):
            assert np.abs(frame.image.astype(int) - there.image).mean() < 6


def test_sound_is_copied(tmp_path):
    source = write(tmp_path / "in.mp4", range(0, 2000, 40), sound=True)
    for ending in (".mp4", ".mov", ".mkv"):
        annotate_video(no_faces, source, tmp_path / f"out{ending}")
        assert sound_of(tmp_path / f"out{ending}") == sound_of(source)


def test_sound_that_webm_cannot_have_is_encoded_anew(tmp_path):
    source = write(tmp_path / "in.mp4", range(0, 2000, 40), sound=True)
    annotate_video(no_faces, source, tmp_path / "out.webm")
    with av.open(str(tmp_path / "out.webm")) as file:
        assert file.streams.audio[0].codec_context.name == "opus"
        frames = list(file.decode(audio=0))
    assert 1.8 < sum(frame.samples for frame in frames) / 48000 < 2.1
    assert max(np.abs(frame.to_ndarray()).max() for frame in frames) > 0.05


# Of [a, b, c, d], (x, y) is shown at (a x + c y, b x + d y); then where the white corner is.
MATRICES = {
    "as it is": ([1, 0, 0, 1], (2, 2)),
    "90 degrees": ([0, 1, -1, 0], (2, -3)),
    "180 degrees": ([-1, 0, 0, -1], (-3, -3)),
    "270 degrees": ([0, -1, 1, 0], (-3, 2)),
    "mirrored": ([-1, 0, 0, 1], (2, -3)),
    "upside down": ([1, 0, 0, -1], (-3, 2)),
    "rows as columns": ([0, 1, 1, 0], (2, 2)),
    "the other diagonal": ([0, -1, -1, 0], (-3, -3)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_rotation_and_mirroring_are_obeyed(tmp_path, name):
    path, ((a, b, c, d), corner) = write(tmp_path / "in.mp4", [0, 40]), MATRICES[name]
    data = bytearray(path.read_bytes())
    # The matrix of the track's header, 40 bytes behind the time it was made, as telephones set it.
    at = data.index(b"tkhd") + 44
    matrix = np.array([a, b, 0, c, d, 0, 0, 0, 16384], ">i4") * 65536
    data[at : at + 36] = matrix.astype(">i4").tobytes()
    path.write_bytes(data)
    image = frames_of(path)[0].image
    assert image.shape == ((48, 64, 3) if a else (64, 48, 3))
    white = {(y, x) for y in (2, -3) for x in (2, -3) if image[y, x].min() > 230}
    assert white == {corner}


def jpegs(path, sizes):
    """A video of JPEG images, one after the other, which may differ in size."""
    parts = [cv2.imencode(".jpg", colour(i, size))[1].tobytes() for i, size in enumerate(sizes)]
    path.write_bytes(b"".join(parts))
    return path


def test_odd_sizes(tmp_path):
    path = jpegs(tmp_path / "in.mjpeg", [(63, 47)] * 5)
    annotate_video(no_faces, path, tmp_path / "out.mp4")
    assert [frame.image.shape for frame in frames_of(tmp_path / "out.mp4")] == [(48, 64, 3)] * 5


def test_a_size_that_changes(tmp_path):
    path = jpegs(tmp_path / "in.mjpeg", [(64, 48)] * 3 + [(128, 48)] * 2)
    with pytest.warns(UserWarning, match=r"size of the frames changes .*: 2 frames were fitted"):
        found = annotate_video(no_faces, path, tmp_path / "out.mp4")
    assert len(found) == 5
    last = frames_of(tmp_path / "out.mp4")[-1].image
    assert last.shape == (48, 64, 3) and last[30:].max() < 20 < last[:20].min()


def test_frames_that_are_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_lotr.video.reading.MAX_SIDE", 32)
    path = write(tmp_path / "in.mp4", [0, 40])
    with pytest.warns(UserWarning, match="has 64 x 48 pixels. It was made smaller, 32 x 24"):
        annotate_video(no_faces, path, tmp_path / "out.mp4")
    assert frames_of(tmp_path / "out.mp4")[0].image.shape == (24, 32, 3)


def test_times_that_go_back(tmp_path):
    path = tmp_path / "in.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        stream.time_base = Fraction(1, 25)
        for i, pts in enumerate([0, 1, 2, 1, 2, 7]):
            frame = av.VideoFrame.from_ndarray(colour(i), format="rgb24")
            for packet in stream.encode(frame):
                packet.time_base, packet.dts, packet.pts = Fraction(1, 25), i - 2, pts
                file.mux(packet)
    with pytest.warns(UserWarning, match="2 frames of .* have timestamps that go back"):
        annotate_video(no_faces, path, tmp_path / "out.mp4")
    times = times_of(tmp_path / "out.mp4")
    assert len(times) == 6 and np.all(np.diff(times) > 0)


def test_broken_in_the_middle(tmp_path):
    path = write(tmp_path / "in.mkv", range(0, 4000, 40))
    data = path.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    with pytest.warns(UserWarning, match="cut.mkv breaks off: .*mp4 has the frames before that"):
        found = annotate_video(no_faces, tmp_path / "cut.mkv", tmp_path / "out.mp4")
    assert 10 < len(found) < 90 and len(frames_of(tmp_path / "out.mp4")) == len(found)


def test_a_video_without_frames(tmp_path):
    path = write(tmp_path / "in.mp4", [0, 40], sound=True)
    with av.open(str(path)) as source, av.open(str(tmp_path / "sound.mp4"), "w") as file:
        copy = file.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = copy
                file.mux(packet)
    with pytest.raises(ValueError, match="^Expected a video .*sound.mp4"):
        annotate_video(no_faces, tmp_path / "sound.mp4", tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_a_full_disk(tmp_path):
    rng = np.random.default_rng(0)
    source = tmp_path / "in.avi"
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for _ in range(60):
        writer.write(rng.integers(0, 256, (240, 320, 3), np.uint8))
    writer.release()
    full = pytest.raises(OSError, match="out.mp4 cannot be written: ")
    with largest_file(100_000), full:
        annotate_video(no_faces, source, tmp_path / "out.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.avi"]


def test_only_few_frames_are_held(tmp_path):
    source, held = write(tmp_path / "in.mp4", range(0, 8000, 40)), []
    with VideoReader(source) as reader:
        for frame in reader.frames():
            held.append(sys.getrefcount(frame.image))
    assert len(held) == 200 and max(held) <= 3


def test_a_colon_in_a_name_is_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b").mkdir()
    write(tmp_path / "12:30.mp4", range(0, 120, 40))
    assert annotate_video(no_faces, "12:30.mp4", "a:b/out.mp4") == [[], [], []]
    assert Path("a:b", "out.mp4").stat().st_size > 0


def test_addresses_are_not_read():
    for address in ("http://127.0.0.1:9/x.mp4", Path("https://127.0.0.1:9/x.mp4")):
        with pytest.raises(ValueError, match="addresses are not read.* Received: https?:/"):
            VideoReader(address)


def test_pyav_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "in.mp4", [0, 40])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"need PyAV: pip install 'keras-lotr\[video\]'"):
        VideoReader(path)


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        ({"landmarker": "lotr_s_68"}, TypeError, "a FaceTracker or a FaceLandmarker, such as"),
        ({"overlays": {"box": True}}, ValueError, "names of points, .*boxes.* Received: {'box'"),
        ({"overlays": ["boxes"]}, ValueError, r"{name: value}.* Received: \['boxes'\]"),
        ({"source": 0}, TypeError, "the path of a video file. Received: 0; `keras-lotr webcam"),
        ({"source": None}, TypeError, "the path of a video file. Received: None$"),
    ],
    ids=str,
)
def test_arguments_of_another_kind(tmp_path, given, kind, sentence):
    path = write(tmp_path / "a.mp4", range(0, 120, 40))
    arguments = {"landmarker": no_faces, "source": path, "output": tmp_path / "o.mp4", **given}
    with pytest.raises(kind, match=sentence):
        annotate_video(**arguments)
    assert not (tmp_path / "o.mp4").exists()
