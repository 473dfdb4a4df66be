"""The sound of a video on its way into another file: copied, encoded anew, or left out."""

import os
from contextlib import suppress
from fractions import Fraction

from keras_lotr.video.library import open_video, pyav

_RATE = 48000  # samples a second, where an encoder cannot have those of the source


def sound_into(file, source, name):
    """The `Sound` of a video for a file that is written.

    It is copied if a file of this kind takes it, encoded anew otherwise, and left out if FFmpeg
    cannot decode it.

    Args:
        file: the output, of PyAV, before its first packet.
        source: the stream of sound, of PyAV; None if there is none.
        name: path of the video.
    """
    if source is None or source.codec_context is None:
        return Sound(name)
    way = _CopiedSound if _is_taken(file, name) else _EncodedSound
    return way(name, file, source)


class Sound:
    """Takes the packets of a video's sound. Whatever is wrong with them, the video is written.

    What goes back in time is moved to the end of what was before, as frames are. What cannot be
    read is left out; here, all is.

    Args:
        name: path of the video.
    """

    def __init__(self, name):
        self._av, self._name = pyav(), name
        self._come = self._kept = self._lost = self._mended = 0

    def add(self, packet):
        """Take the next packet."""
        self._come += packet.size > 0

    def close(self):
        """Write what is left.

        Returns:
            Sentences about what is not as it was.
        """
        if self._come and not self._kept:
            return [f"The sound of {self._name} cannot be read: it is left out."]
        told = {
            "have timestamps that go back: each got the time after that of the packet before": (
                self._mended
            ),
            "cannot be read: they are left out": self._lost,
        }
        packets = f"packets of the sound of {self._name}"
        return [f"{count} {packets} {what}." for what, count in told.items() if count]

    def _mux(self, packet, *streams):
        """Write a packet into each of these streams, unless one before does not take it."""
        try:
            for stream in streams:
                packet.stream = stream
                stream.container.mux(packet)
            self._kept += 1
        except OSError:  # a full disk, or the like
            raise
        except (self._av.FFmpegError, ValueError):
            self._lost += 1


class _CopiedSound(Sound):
    def __init__(self, name, file, source):
        super().__init__(name)
        # The output tells only later, with a frame or at its end, that it cannot write a packet.
        self._trial = _null(file)
        self._streams = [f.add_stream_from_template(source) for f in (self._trial, file)]
        self._last = self._step = None

    def add(self, packet):
        super().add(packet)
        if packet.size:
            self._put_in_order(packet)
            self._mux(packet, *self._streams)

    def close(self):
        with suppress(self._av.FFmpegError):
            self._trial.close()
        return super().close()

    def _put_in_order(self, packet):
        goes_back = None not in (packet.dts, self._last) and packet.dts < self._last
        self._mended += goes_back
        if goes_back or packet.dts is None:
            packet.dts = packet.pts = 0 if self._last is None else self._last + self._step
        elif packet.pts is None or packet.pts < packet.dts:
            packet.pts = packet.dts
        self._last, self._step = packet.dts, max(1, packet.duration or 0)


class _EncodedSound(Sound):
    def __init__(self, name, file, source):
        super().__init__(name)
        encoder = {"opus": "libopus"}.get(file.default_audio_codec, "aac")
        rate = source.codec_context.rate
        rates = self._av.Codec(encoder, "w").audio_rates
        self._stream = file.add_stream(encoder, rate=rate if rate in rates else _RATE)
        self._end = self._resampler = self._kind = None

    def add(self, packet):
        super().add(packet)
        self._encode(packet.decode)

    def close(self):
        self._encode(lambda: [None])
        return super().close()

    def _encode(self, decode):
        encoded = []
        try:
            for frame in decode():
                for piece in self._resampled(frame):
                    encoded += self._stream.encode(piece)
                if frame is None:
                    encoded += self._stream.encode(None)
        except (self._av.FFmpegError, ValueError):
            self._lost += 1
        for packet in encoded:
            self._mux(packet, self._stream)

    def _resampled(self, frame):
        """A frame as the encoder takes it, in pieces; after None, what is left."""
        kind = None if frame is None else (frame.format.name, frame.layout.name, frame.sample_rate)
        pieces = []
        if kind != self._kind:
            if self._resampler is not None:
                pieces = self._resampler.resample(None)
            codec, self._kind = self._stream.codec_context, kind
            self._resampler = self._av.AudioResampler(codec.format, codec.layout, codec.rate)
        if frame is not None:
            self._set_time(frame)
            pieces += self._resampler.resample(frame)
        return [piece for piece in pieces if piece is not None]

    def _set_time(self, frame):
        length = Fraction(frame.samples, frame.sample_rate)
        start = self._end or Fraction(0)
        if frame.pts is not None:
            own = frame.pts * frame.time_base
            self._mended += own < start - length
            start = own if self._end is None else max(start, own)
        self._end = start + length
        frame.pts, frame.time_base = (
            round(start * frame.sample_rate),
            Fraction(1, frame.sample_rate),
        )


def _is_taken(file, name):
    """Whether files of this kind take a video's sound as it is: only writing a packet tells."""
    av = pyav()
    try:
        with open_video(name, metadata_errors="ignore") as again, _null(file) as trial:
            source = again.streams.audio[0]
            stream = trial.add_stream_from_template(source)
            trial.start_encoding()
            packet = next((packet for packet in again.demux(source) if packet.size), None)
            if packet is not None:
                packet.stream = stream
                trial.mux(packet)
    except (av.FFmpegError, ValueError):
        return False
    return True


def _null(file):
    """A file of the same kind that keeps nothing."""
    return pyav().open(os.devnull, "w", format=file.format.name)
