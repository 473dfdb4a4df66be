"""Which stream of a file is its video: to FFmpeg texts, photos and covers of songs are one too."""

from keras_lotr.video.library import open_video, pyav

_NO_VIDEOS = {"tty", "image2", "ico"}  # FFmpeg's readers of texts, as a terminal shows them; photos
_PICTURES = "_pipe"  # ends the names of those of pictures; some are a video, one after the other
_PHOTOS = {"avif", "mif1", "heic", "heix"}  # which the reader of MP4 reads as well


def video_stream(container):
    """The stream of a file, of PyAV, that is a video; None if there is none.

    A text, a photo, and a picture that is attached to a song or a film are none.
    """
    kind, brand = container.format.name, container.metadata.get("major_brand")
    if kind in _NO_VIDEOS or brand in _PHOTOS:
        return None
    if kind.endswith(_PICTURES) and not _has_several_packets(container.name):
        return None
    attached = pyav().stream.Disposition.attached_pic
    moving = (s for s in container.streams.video if not s.disposition & attached)
    return next(moving, None)


def _has_several_packets(path):
    with open_video(path, metadata_errors="ignore") as again:  # what was read is not read again
        packets = (packet for packet in again.demux(video=0) if packet.size)
        return next(packets, None) is not None and next(packets, None) is not None
