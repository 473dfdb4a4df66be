"""Which files have a video: texts, photos and songs with a cover have none."""

import cv2
import pytest
from test_video_files import colour, frames_of, write

from keras_lotr.video.reading import VideoReader, count_frames

pytestmark = pytest.mark.once
av = pytest.importorskip("av")

STILL = {
    "notes.txt": "Some words of mine.\n" * 40,
    "readme.nfo": "Some words of mine.\n" * 40,
    **dict.fromkeys(("a.jpg", "a.png", "a.tiff", "a.webp", "a.bmp", "a.avif", "jpg_without_name")),
}


@pytest.mark.parametrize("name", STILL)
def test_texts_and_photos_are_no_videos(tmp_path, name):
    path = tmp_path / name
    if STILL[name]:
        path.write_text(STILL[name])
    else:
        path.write_bytes(cv2.imencode(path.suffix or ".jpg", colour(0))[1].tobytes())
    with pytest.raises(ValueError, match=rf"^Expected a video \(MP4.*Received: .*{name}$"):
        VideoReader(path)


def test_animated_pictures_are_videos(tmp_path):
    from PIL import Image

    first, *others = (Image.fromarray(colour(i)) for i in range(0, 30, 10))
    for name in ("a.gif", "a.png"):
        first.save(tmp_path / name, save_all=True, append_images=others, duration=40)
        assert len(frames_of(tmp_path / name)) == 3, name


def with_cover(path, source, kind):
    """The streams of this kind of a file, after a picture that is attached to them."""
    with av.open(str(source)) as given, av.open(str(path), "w") as file:
        cover = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        copy = file.add_stream_from_template(given.streams.get(**{kind: 0})[0])
        file.mux(cover.encode(av.VideoFrame.from_ndarray(colour(0), format="rgb24")))
        for packet in given.demux(**{kind: 0}):
            if packet.dts is not None:
                packet.stream = copy
                file.mux(packet)
    return path


def test_the_cover_of_a_song_is_no_video(tmp_path):
    source = write(tmp_path / "in.mp4", [0, 40, 200], sound=True)
    with pytest.raises(ValueError, match="^Expected a video .*song.mp4$"):
        VideoReader(with_cover(tmp_path / "song.mp4", source, "audio"))
    film = with_cover(tmp_path / "film.mp4", source, "video")
    assert len(frames_of(film)) == count_frames(film) == 3
