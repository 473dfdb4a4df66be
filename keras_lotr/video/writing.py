"""Frames -> a video file, with the sound of another one."""

from pathlib import Path

from keras_lotr.video.library import open_video, pyav
from keras_lotr.video.sound import sound_into

# What a file of this ending is written with: the first encoder that FFmpeg's build has, with its
# settings. All players and browsers know these formats.
_H264 = ("libx264", {"crf": "20", "preset": "veryfast"}), ("h264", {}), ("mpeg4", {"qscale": "3"})
_VP9 = (
    ("libvpx-vp9", {"crf": "30", "b:v": "0", "deadline": "realtime", "cpu-used": "8"}),
    ("libvpx", {"crf": "10", "b:v": "4M", "deadline": "realtime", "cpu-used": "8"}),
)
ENCODERS = {".mp4": _H264, ".m4v": _H264, ".mov": _H264, ".mkv": _H264, ".webm": _VP9}
_MAX_WEBM_RATE = 500  # frames a second; WebM counts milliseconds


def check_ending(path):
    """Refuse a file of another kind.

    Raises:
        ValueError: its ending is no known one.

    Example:

    >>> check_ending("faces.gif")
    Traceback (most recent call last):
    ValueError: Expected a .mp4, .m4v, .mov, .mkv, .webm file as output. Received: faces.gif
    """
    if Path(path).suffix.lower() not in ENCODERS:
        raise ValueError(f"Expected a {', '.join(ENCODERS)} file as output. Received: {path}")


class VideoWriter:
    """A video file that is written frame by frame; a context manager, which makes it playable.

    Args:
        path: the file to write.
        reader: `VideoReader` whose times, sound (see `sound_into`), and shape and colours of
            pixels it gets.

    Attributes:
        notes: sentences about what could not be kept, at the end.

    Raises:
        ValueError: more frames a second than WebM can keep.
        OSError: FFmpeg's build has no encoder for it.
    """

    def __init__(self, path, reader):
        self._av, ending = pyav(), Path(path).suffix.lower()
        if ending == ".webm" and reader.rate > _MAX_WEBM_RATE:
            raise ValueError(
                f"Expected a video of at most {_MAX_WEBM_RATE} frames a second, which is what WebM "
                f"can keep. {reader.source} has {float(reader.rate):g}: slow it down first."
            )
        name, settings = self._encoder(ending)
        self._file = open_video(path, "w")
        self._video = self._file.add_stream(name, rate=reader.rate, options=settings)
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = reader.time_base
        self._reader, self._ending, self.notes = reader, ending, []
        self._reformatter = self._av.video.reformatter.VideoReformatter()
        self._sound = sound_into(self._file, reader.sound, reader.source)
        self._begun, self._early = False, []  # sound before the first frame, which says the size

    def _encoder(self, ending):
        for name, settings in ENCODERS[ending]:
            try:
                self._av.Codec(name, "w")
            except self._av.codec.codec.UnknownCodecError:
                continue
            return name, settings
        raise OSError(f"This build of FFmpeg, in PyAV, has no encoder for {ending} files.")

    def __enter__(self):
        return self

    def __exit__(self, kind, *error):
        try:
            if kind is None and self._begun:
                self._file.mux(_until_the_end(self._video.encode(None)))
                self.notes += self._sound.close()
        finally:
            self._file.close()

    def write(self, image, pts):
        """Add a frame.

        Args:
            image: (H, W, 3) uint8 RGB; H and W are even, and the same for all frames.
            pts: its time in units of the reader's `time_base`.
        """
        if not self._begun:
            self._video.height, self._video.width = image.shape[:2]
            self._tag(self._reader.pixels)
        frame = self._av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = self._reader.pixels.to_yuv(frame, self._reformatter)
        frame.pts, frame.time_base = pts, self._reader.time_base
        self._file.mux(self._video.encode(frame))
        self._begun = True
        while self._early:
            self.write_sound(self._early.pop(0))

    def _tag(self, pixels):
        pixels.tag(self._video.codec_context)
        aspect = pixels.aspect or 1
        if self._ending == ".webm" and aspect != 1:  # VP9 has no place for it, PyAV none in WebM
            self.notes.append(
                f"The pixels of {self._reader.source} are not square but {aspect.numerator}:"
                f"{aspect.denominator}, which WebM does not get: all looks "
                f"{'narrower' if aspect > 1 else 'wider'} there. Take .mp4, .mov or .mkv."
            )

    def write_sound(self, packet):
        """Add a packet of the reader's sound."""
        if not self._begun:
            self._early.append(packet)
        else:
            self._sound.add(packet)


def _until_the_end(packets):
    """The last packets of a video, the last of which lasts until the end.

    MP4 counts the length of a video in times of decoding. These are earlier than those of the
    frames, and by a long pause if it comes before the last frame.
    """
    if packets:
        last, end = packets[-1], max(packet.pts + (packet.duration or 0) for packet in packets)
        last.dts, last.duration = last.pts, end - last.pts
    return packets
