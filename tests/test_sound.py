"""The sound of a video that is written: whatever is wrong with it, the video is kept."""

import warnings
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from test_video_files import colour, no_faces, sound_of

from keras_lotr import annotate_video
from keras_lotr.video.sound import sound_into

pytestmark = pytest.mark.once
av = pytest.importorskip("av")

TONE = 440  # Hz


def with_sound(path, codec="aac", rate=44100, layout="stereo"):
    """Two seconds of video and of a tone."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libvpx" if path.suffix == ".webm" else "libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound, done = file.add_stream(codec, rate=rate, layout=layout), 0
        for i in range(50):
            frame = av.VideoFrame.from_ndarray(colour(i), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            file.mux(video.encode(frame))
            while done < rate * (i + 1) // 25:
                wave = 8000 * np.sin(2 * np.pi * TONE * (done + np.arange(1024)) / rate)
                wave = np.repeat(wave.astype(np.int16), sound.layout.nb_channels)[None]
                piece = av.AudioFrame.from_ndarray(wave, format="s16", layout=layout)
                piece.sample_rate, piece.pts, piece.time_base = rate, done, Fraction(1, rate)
                file.mux(sound.encode(piece))
                done += 1024
        file.mux(video.encode(None))
        file.mux(sound.encode(None))
    return path


def damaged(path, part):
    """The same file with noise in so many of its packets of sound."""
    data, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
    with av.open(str(path)) as file:
        packets = [packet for packet in file.demux(audio=0) if packet.size]
        for packet in packets[len(packets) - round(part * len(packets)) :]:
            at = data.index(bytes(packet)[:16], packet.pos)
            data[at : at + packet.size] = rng.bytes(packet.size)
    path.write_bytes(data)
    return path


def one_after_the_other(path, *parts):
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def annotated(source, ending):
    """The output, and the sentences about it."""
    output = source.with_name(f"out{ending}")
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert annotate_video(no_faces, source, output)
    return output, [str(warning.message) for warning in found]


def heard(path):
    """The codec's name, the seconds of sound, and the frequency in each half."""
    with av.open(str(path)) as file:
        frames = list(file.decode(audio=0))
        name = file.streams.audio[0].codec_context.name
    waves = [frame.to_ndarray()[0, :: 1 + (not frame.format.is_planar)] for frame in frames]
    wave, rate = np.concatenate(waves), frames[0].sample_rate
    tones = [
        np.argmax(np.abs(np.fft.rfft(half))) * rate / len(half) for half in np.array_split(wave, 2)
    ]
    return name, len(wave) / rate, tones


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm"])
def test_sound_whose_times_go_back(tmp_path, ending):
    part = with_sound(tmp_path / "part.ts")
    output, said = annotated(one_after_the_other(tmp_path / "in.ts", part, part), ending)
    (said,) = [sentence for sentence in said if "of the sound" in sentence]
    assert said.startswith("88 packets of the sound of") and said.endswith("the packet before.")
    _, seconds, tones = heard(output)
    assert seconds == pytest.approx(4.1, abs=0.1) and tones == pytest.approx([TONE] * 2, rel=0.03)


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_parts_that_overlap(tmp_path, ending):
    part = with_sound(tmp_path / "part.ts")
    data = part.read_bytes()
    (tmp_path / "more.ts").write_bytes(data[len(data) // 188 // 2 * 188 :])
    source = one_after_the_other(tmp_path / "in.ts", part, tmp_path / "more.ts")
    output, said = annotated(source, ending)
    assert any("packets of the sound of" in sentence for sentence in said)
    with av.open(str(output)) as file:
        times = [packet.dts for packet in file.demux(audio=0) if packet.dts is not None]
    assert len(times) > 100 and np.all(np.diff(times) > 0)


def test_sound_whose_rate_changes(tmp_path):
    parts = [with_sound(tmp_path / f"{rate}.ts", rate=rate) for rate in (44100, 48000)]
    output, _ = annotated(one_after_the_other(tmp_path / "in.ts", *parts), ".webm")
    name, seconds, tones = heard(output)
    assert name == "opus" and seconds == pytest.approx(4.1, abs=0.1)
    assert tones == pytest.approx([TONE] * 2, rel=0.03)


def test_sound_that_is_damaged_in_part(tmp_path):
    source = damaged(with_sound(tmp_path / "in.mp4"), 0.5)
    output, (said,) = annotated(source, ".webm")
    assert said == f"44 packets of the sound of {source} cannot be read: they are left out."
    assert heard(output)[1] == pytest.approx(1, abs=0.1)


def test_sound_of_which_nothing_can_be_read(tmp_path):
    source = damaged(with_sound(tmp_path / "in.mp4"), 1)
    _, said = annotated(source, ".webm")
    assert said == [f"The sound of {source} cannot be read: it is left out."]


@pytest.mark.parametrize("codec", ["ac3", "eac3"])
def test_damaged_sound_that_is_copied(tmp_path, codec):
    """MP4 refuses such packets when it is too late: with a frame, or at the end."""
    source = damaged(with_sound(tmp_path / "in.mkv", codec, 48000), 0.5)
    output, (said,) = annotated(source, ".mp4")
    assert "packets of the sound" in said and len(sound_of(output)) > 25


def test_damaged_sound_in_a_transport_stream(tmp_path):
    source = damaged(with_sound(tmp_path / "in.ts"), 0.5)
    output, _ = annotated(source, ".mp4")
    assert len(sound_of(output)) > 20


@pytest.mark.parametrize(
    ("name", "codec", "ending", "becomes"),
    [
        ("in.webm", "libopus", ".mov", "aac"),
        ("in.webm", "libopus", ".mp4", "opus"),
        ("in.mkv", "flac", ".mov", "aac"),
        ("in.mkv", "flac", ".webm", "opus"),
        ("in.avi", "pcm_s16le", ".mp4", "aac"),
        ("in.mkv", "pcm_s16le", ".mp4", "aac"),
        ("in.mkv", "pcm_s16le", ".mov", "pcm_s16le"),
    ],
)
def test_sound_that_a_kind_of_file_does_not_take(tmp_path, name, codec, ending, becomes):
    source = with_sound(tmp_path / name, codec, 48000)
    output, said = annotated(source, ending)
    assert not any("he sound of" in sentence for sentence in said)
    found, seconds, tones = heard(output)
    assert (found, seconds) == (becomes, pytest.approx(2, abs=0.05))
    assert tones == pytest.approx([TONE] * 2, rel=0.03)


@pytest.mark.parametrize("rate", [22254, 96000, 192000])
def test_a_rate_that_an_encoder_does_not_have(tmp_path, rate):
    source = with_sound(tmp_path / "in.mkv", "pcm_s16le", rate)
    _, seconds, tones = heard(annotated(source, ".mp4")[0])
    assert seconds == pytest.approx(2, abs=0.06) and tones == pytest.approx([TONE] * 2, rel=0.03)


def test_sound_without_a_decoder(tmp_path):
    sound = sound_into(None, SimpleNamespace(codec_context=None), "in.mkv")
    assert sound.close() == []
    sound.add(SimpleNamespace(size=100))
    assert sound.close() == ["The sound of in.mkv cannot be read: it is left out."]
