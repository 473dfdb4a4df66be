"""Which videos break off or are damaged, and which only have pauses."""

import re
import struct
from fractions import Fraction

import numpy as np
import pytest
from test_video_files import no_faces, write

from keras_lotr import annotate_video
from keras_lotr.video.completeness import is_shorter_than_stated
from keras_lotr.video.reading import VideoReader, count_frames

pytestmark = pytest.mark.once
av = pytest.importorskip("av")

EVEN = range(0, 4000, 40)
PAUSE = [40 * i + 4000 * (i >= 20) for i in range(40)]


def read(path):
    """The number of frames, and the sentences about them."""
    with VideoReader(path) as reader:
        count = len(list(reader.frames()))
    return count, reader.broken, reader.damaged


def cut(path, part):
    data = path.read_bytes()
    shorter = path.with_name(f"cut{path.suffix}")
    shorter.write_bytes(data[: int(part * len(data))])
    return shorter


def noisy(path, times):
    """A video of noise, so that all frames have about as many bytes."""
    codec = {".webm": "libvpx", ".avi": "mpeg4"}.get(path.suffix, "libx264")
    with av.open(str(path), "w") as file:
        video = file.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for i, time in enumerate(times):
            noise = np.random.default_rng(i).integers(0, 256, (48, 64, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
            frame.pts, frame.time_base = time // 40, Fraction(1, 25)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path


@pytest.mark.parametrize("ending", [".mkv", ".webm", ".mp4", ".ts", ".flv", ".avi"])
@pytest.mark.parametrize("times", [EVEN, PAUSE], ids=["even", "pause"])
def test_a_whole_video(tmp_path, ending, times):
    assert read(noisy(tmp_path / f"in{ending}", times)) == (len(times), None, None)


def test_a_last_frame_that_stays(tmp_path):
    with av.open(str(write(tmp_path / "in.mkv", [0, 40, 80]))) as source:
        packets = [packet for packet in source.demux() if packet.size]
        packets[-1].duration = 4000
        with av.open(str(tmp_path / "long.mkv"), "w") as file:
            copy = file.add_stream_from_template(source.streams.video[0])
            for packet in packets:
                packet.stream = copy
                file.mux(packet)
    with av.open(str(tmp_path / "long.mkv")) as file:
        assert file.duration > 4_000_000
    assert read(tmp_path / "long.mkv") == (3, None, None)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.8, 0.9])
@pytest.mark.parametrize("times", [EVEN, PAUSE], ids=["even", "pause"])
@pytest.mark.parametrize("ending", [".mkv", ".webm", ".flv"])
def test_a_file_without_a_number_of_frames_breaks_off(tmp_path, ending, times, part):
    count, broken, _ = read(cut(noisy(tmp_path / f"in{ending}", times), part))
    assert 0 < count < len(times)
    assert re.search(r"breaks off: it says that it lasts (4|5)\.\d s, and nothing can be r", broken)


@pytest.mark.parametrize("times", [EVEN, PAUSE], ids=["even", "pause"])
def test_an_avi_file_breaks_off(tmp_path, times):
    broken = read(cut(noisy(tmp_path / "in.avi", times), 0.5))[1]
    assert re.search(r"breaks off: it says that it has 1[04]0 frames, and frame \d+ ca", broken)


def test_a_last_frame_that_stays_for_an_unknown_time(tmp_path):
    data = bytearray(noisy(tmp_path / "in.mkv", EVEN).read_bytes())
    at = data.index(b"\x23\xe3\x83\x84")
    data[at : at + 8] = b"\xec\x86" + bytes(6)  # the duration of a frame becomes void
    at = data.index(b"\x44\x89\x88") + 3
    data[at : at + 8] = struct.pack(">d", 8000)  # and the whole one is twice as long
    (tmp_path / "in.mkv").write_bytes(data)
    assert read(tmp_path / "in.mkv") == (100, None, None)
    assert "breaks off: it says that it lasts 8.0 s" in read(cut(tmp_path / "in.mkv", 0.9))[1]


@pytest.mark.parametrize(
    ("number", "short"), [(b"\x85", True), (b"\x84", False), (b"\x40\x04", False), (b"\xff", False)]
)
def test_bytes_that_a_file_states(tmp_path, number, short):
    (tmp_path / "in.mkv").write_bytes(b"header\x18\x53\x80\x67" + number + b"four")
    assert is_shorter_than_stated(tmp_path / "in.mkv") == short


def test_frames_that_the_edit_list_leaves_out(tmp_path):
    data = bytearray(write(tmp_path / "in.mp4", EVEN).read_bytes())
    at = data.index(b"elst") + 12
    data[at : at + 8] = struct.pack(">Ii", 2000, 2 * 16000)  # two seconds, from the third one on
    (tmp_path / "in.mp4").write_bytes(data)
    assert read(tmp_path / "in.mp4") == (50, None, None)
    assert count_frames(tmp_path / "in.mp4") == 50


def test_damage_in_the_middle(tmp_path):
    path = noisy(tmp_path / "in.ts", EVEN)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 1000] = bytes(1000)
    path.write_bytes(data)
    with pytest.warns(UserWarning, match=r"in.ts is damaged: \d+ of its frames could be read only"):
        found = annotate_video(no_faces, path, tmp_path / "out.mp4")
    assert 80 < len(found) <= 100


def test_a_limit_of_frames_counts_them(tmp_path):
    path = write(tmp_path / "in.mkv", PAUSE)
    assert VideoReader(path).expected == 140 and count_frames(path) == 40
    assert len(annotate_video(no_faces, path, tmp_path / "out.mp4", max_frames=40)) == 40
    asked = []
    with pytest.raises(ValueError, match="at most 39 frames. .*in.mkv has 40"):
        annotate_video(asked.append, path, tmp_path / "out.mp4", max_frames=39)
    assert not asked


def test_an_index_that_was_cut_off(tmp_path):
    """It is at the end of an MP4 file."""
    path = cut(write(tmp_path / "in.mp4", EVEN), 0.5)
    with pytest.raises(ValueError, match="^Expected a video .*cut.mp4, an MP4 file without its in"):
        VideoReader(path)
