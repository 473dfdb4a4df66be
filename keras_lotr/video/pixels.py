"""What the pixels of a video are: how wide, and which colours their numbers stand for."""

from dataclasses import dataclass
from fractions import Fraction

_BT709, _UNKNOWN, _BT601 = 1, 2, 5
_LIMITED = 1  # luma of 16..235, as all players expect it
# The matrices that FFmpeg computes with: by their numbers in ITU-T H.273, those of swscale. A
# matrix that a file does not name, or that FFmpeg does not have, is taken for that of BT.601 when
# the file is read and again when it is written, so that the numbers of its pixels stay.
_SWSCALE = {_BT709: 1, 4: 4, _BT601: 5, 6: 5, 7: 7, 9: 9}


@dataclass(frozen=True)
class Pixels:
    """The shape and the colours of a video's pixels. Those of its output are the same.

    Attributes:
        aspect: width of a pixel over its height; None if the file does not say it.
        matrix, primaries, transfer: which colours they have, as numbers of ITU-T H.273; 2 if the
            file does not say it.

    Example:

    >>> Pixels(matrix=1)  # BT.709, of most videos in HD
    Pixels(aspect=None, matrix=1, primaries=2, transfer=2)
    """

    aspect: Fraction | None = None
    matrix: int = _UNKNOWN
    primaries: int = _UNKNOWN
    transfer: int = _UNKNOWN

    def tag(self, codec):
        """Write them down in a codec context of PyAV."""
        if self.aspect is not None:
            codec.sample_aspect_ratio = self.aspect
        codec.colorspace, codec.color_range = self.matrix, _LIMITED
        codec.color_primaries, codec.color_trc = self.primaries, self.transfer

    def to_yuv(self, frame, reformatter):
        """A frame of PyAV, RGB, with these colours in limited range, by a `VideoReformatter`."""
        return reformatter.reformat(
            frame,
            format="yuv420p",
            dst_colorspace=_SWSCALE.get(self.matrix, _BT601),
            dst_color_range=_LIMITED,
        )


def pixels_of(frame, stream, turned):
    """The `Pixels` of a video.

    Args:
        frame: the first one, of PyAV.
        stream: where it comes from.
        turned: whether its rows are shown as columns.
    """
    aspect, codec = stream.sample_aspect_ratio, stream.codec_context
    is_rgb = frame.format.is_rgb or frame.format.has_palette or frame.colorspace == 0
    matrix = _BT709 if is_rgb else frame.colorspace  # the output is never RGB
    aspect = 1 / aspect if aspect and turned else aspect
    return Pixels(aspect, matrix, codec.color_primaries, codec.color_trc)


def to_rgb(frame):
    """(H, W, 3) uint8 RGB of a frame of PyAV."""
    return frame.to_ndarray(
        format="rgb24",
        src_colorspace=_SWSCALE.get(frame.colorspace, _BT601),
        dst_colorspace=_BT601,
        src_color_range=frame.color_range,
    )
