"""Render short videos of faces with exact landmarks and identities.

    PYTHONPATH=RENDERER python tools/face_videos.py --output FOLDER

RENDERER holds the renderer facesynth, which is not part of the repository and needs numba. Each
clip is NAME.mp4 (H.264, 640 x 480) and NAME.npz: `ids` (F,), `times` (T,) in seconds, `points98`
(T, F, 98, 2), `points68` (T, F, 68, 2) in pixels, NaN where a face is not in the frame, and
`visible98` (T, F, 98). A clip that is there is left as it is. `benchmarks/video.py` measures on
them. `--frames FOLDER` writes one frame of each second of the clips as a photo, for
`keras-lotr train-certainty --photos`.
"""

from fractions import Fraction
from pathlib import Path

import av
import click
import cv2
import numpy as np
from facesynth.compose import SUPERSAMPLE, Renderer
from video_scene import Moment, Person, develop, exposure

WIDTH, HEIGHT = 640, 480
_QUALITY = "24"  # of x264: compressed as by a telephone
_FRAMES = slice(5, None, 24)  # those that are photos
# Who is alone in a clip, with the seed. Settings are chosen on the clips of c and d only.
PEOPLE = {"a": 33, "b": 40, "c": 47, "d": 49}


def wave(t, rate, phase=0.0):
    return float(np.sin(2 * np.pi * (rate * t + phase)))


def sway(t, **more):
    """Someone who sits still, which nobody does quite."""
    moved = {"x": 320 + 4 * wave(t, 0.4), "y": 240 + 3 * wave(t, 0.31, 0.2), "size": 150.0}
    turned = {"yaw": 4 * wave(t, 0.35), "pitch": 3 * wave(t, 0.27, 0.3), "roll": 2 * wave(t, 0.3)}
    return Moment(**{**moved, **turned, **more})


def eased(t, times, values):
    """A value that goes from one to the next as a body does, without a jerk."""
    i = int(np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(times) - 2))
    part = np.clip((t - times[i]) / (times[i + 1] - times[i]), 0, 1)
    return float(values[i] + (values[i + 1] - values[i]) * part**3 * (10 - 15 * part + 6 * part**2))


def eyes_shut(t, every=0.9, lasts=0.28):
    """0..1: a blink that begins each `every` seconds; closing is faster than opening."""
    return eased(((t % every) - 0.4) / lasts, [0, 0.4, 0.5, 1], [0, 1, 1, 0])


def blinking(t):
    return {"eyeBlinkLeft": eyes_shut(t), "eyeBlinkRight": eyes_shut(t)}


def talking(t):
    mouth = max(0.0, 0.28 + 0.3 * wave(t, 3.1) + 0.15 * wave(t, 4.7, 0.4))
    wide = max(0.0, 0.35 * wave(t, 1.3))
    return {
        "jawOpen": mouth,
        "mouthFunnel": max(0.0, 0.3 * wave(t, 2.3)),
        "mouthSmileLeft": wide,
        "mouthSmileRight": wide,
    }


def swing(t):
    """-1..1: held at one side, then turned to the other within 0.35 s."""
    return eased(t % 1.6, [0, 0.45, 0.8, 1.25, 1.6], [-1, -1, 1, 1, -1])


def crossing(number):
    """Two faces that change sides; the second one is drawn in front."""
    rng = np.random.default_rng([7, number])
    sizes, height = rng.uniform(90, 140, 2), rng.uniform(-25, 25)
    turn, rate = rng.uniform(0, 25), rng.uniform(0.38, 0.5)

    def side(t, sign, size, shift):
        x = 320 + sign * 190 * float(np.cos(2 * np.pi * rate * t))
        return Moment(x, 240 + shift, size, yaw=sign * turn * wave(t, rate), units=talking(t))

    return [
        lambda t: side(t, -1, sizes[0], 0.0),
        lambda t: side(t, 1, sizes[1], height),
    ]


def panel(middle, size):
    """A grey board that passes; `middle(t)` says where in x."""

    def cover(t):
        return middle(t), size

    return cover


# {name: (people, seconds, frames a second, panel)}; people: [(seed, moment of a time, from, to)].
def clips():
    def one(moment, seed, seconds=3.0, rate=25, board=None):
        return [(seed, moment, 0.0, seconds)], seconds, rate, board

    made = {}
    for name, seed in PEOPLE.items():
        for rate in (25, 60) if name in "ac" else (25,):
            end = f"{name}{rate}"
            made[f"still_{end}"] = one(sway, seed, 2.0, rate)
            made[f"talk_{end}"] = one(lambda t: sway(t, units=talking(t)), seed, 2.4, rate)
            made[f"blink_{end}"] = one(lambda t: sway(t, units=blinking(t)), seed, 2.7, rate)
            made[f"turn_{end}"] = one(
                lambda t: sway(t, yaw=40 * swing(t), pitch=8 * wave(t, 0.7)), seed, 3.2, rate
            )
        made[f"zoom_{name}25"] = one(lambda t: sway(t, size=120 + 70 * wave(t, 0.5)), seed)
        made[f"move_{name}25"] = one(
            lambda t: sway(t, x=320 + 170 * wave(t, 0.5), roll=25 * wave(t, 0.6)), seed
        )
        pass_by = panel(lambda t: 40 + 240 * t, (110, 480))
        made[f"hand_{name}25"] = one(sway, seed, 2.6, 25, pass_by)
        cut = [(seed, sway, 0.0, 1.2), (seed + 1, lambda t: sway(t, x=200.0, size=110), 1.2, 2.4)]
        made[f"cut_{name}25"] = cut, 2.4, 25, None
    for i in range(20):
        first, second = crossing(i)
        people = [(100 + 2 * i, first, 0.0, 1.6), (101 + 2 * i, second, 0.0, 1.6)]
        made[f"cross_{i:02}"] = people, 1.6, 25, None
    for i in range(6):
        at, width = (190.0, 450.0), 250
        people = [
            (200 + 2 * i + k, lambda t, x=x: sway(t, x=x + 25 * wave(t, 0.5), size=110), 0.0, 2.4)
            for k, x in enumerate(at)
        ]
        start = (-150.0, 790.0)[i % 2]
        goes = panel(lambda t, s=start: s + (320 - s) * 2 * t / 2.4, (width, 480))
        made[f"occlude_{i:02}"] = people, 2.4, 25, goes
    four = [
        (300 + i, lambda t, x=x, y=y: sway(t, x=x + 3 * wave(t, 0.4), y=y, size=95), 0.0, 1.6)
        for i, (x, y) in enumerate([(140, 130), (450, 130), (160, 360), (480, 365)])
    ]
    made["four_25"] = four, 1.6, 25, None
    return made


def frame_of(people, t, background):
    """The frame in linear light, and what `Person.draw` says of each person; None: not there."""
    image, seen = background.copy(), []
    for person, moment, start, end in people:
        drawn = person.draw(image, moment(t)) if start <= t < end - 1e-9 else None
        for before in filter(None, seen if drawn else ()):
            hide(before, drawn["cover"])
        seen.append(drawn)
    return image, seen


def hide(face, cover):
    """Landmarks that something in front covers are not visible."""
    at = np.rint(face["points98"] * SUPERSAMPLE).astype(int)
    x, y = np.clip(at[:, 0], 0, cover.shape[1] - 1), np.clip(at[:, 1], 0, cover.shape[0] - 1)
    face["visible98"] &= ~cover[y, x]


def board_over(image, board, t, seen):
    middle, (width, height) = board(t)
    cover = np.zeros(image.shape[:2], np.uint8)
    corners = np.array([[middle - width / 2, 0], [middle + width / 2, height]]) * SUPERSAMPLE
    first, last = np.rint(corners).astype(int)
    cv2.rectangle(cover, tuple(map(int, first)), tuple(map(int, last)), 1, -1)
    shade = np.linspace(0.05, 0.16, image.shape[0])[:, None, None] * np.array([1.0, 1.1, 1.3])
    image[:] = np.where(cover[..., None] > 0, shade, image)
    for face in filter(None, seen):
        hide(face, cover > 0)


def render(renderer, path, people, seconds, rate, board):
    """Write a clip and its labels."""
    drawn = [(Person(renderer, seed), *rest) for seed, *rest in people]
    background = drawn[0][0].background(WIDTH, HEIGHT)
    times = np.arange(round(seconds * rate)) / rate
    gain, faces = None, []
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(rate), options={"crf": _QUALITY})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i, t in enumerate(times):
            image, seen = frame_of(drawn, float(t), background)
            gain = gain or exposure(image, [face["skin"] for face in seen if face])
            if board:
                board_over(image, board, float(t), seen)
            picture = develop(image, gain, np.random.default_rng([people[0][0], i]))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            faces.append(seen)
        file.mux(stream.encode(None))
    np.savez_compressed(path.with_suffix(".npz"), ids=np.arange(len(people)), times=times,
                        **labels(faces))  # fmt: skip
    unfinished.replace(path)


def labels(faces):
    """The labels of all frames as arrays."""

    def stacked(name, missing):
        return np.array([[missing if f is None else f[name] for f in seen] for seen in faces])

    return {
        "points98": stacked("points98", np.full((98, 2), np.nan, np.float32)),
        "points68": stacked("points68", np.full((68, 2), np.nan, np.float32)),
        "visible98": stacked("visible98", np.zeros(98, bool)),
    }


def write_frames(path, folder):
    """Write one of 24 frames of a clip as FOLDER/NAME_NUMBER.jpg."""
    folder.mkdir(parents=True, exist_ok=True)
    with av.open(str(path)) as file:
        for i, frame in list(enumerate(file.decode(video=0)))[_FRAMES]:
            frame.to_image().save(folder / f"{path.stem}_{i:03}.jpg", quality=92)


@click.command()
@click.option("--output", type=Path, required=True, help="Folder for the clips.")
@click.option("--only", default="", help="Only clips whose names begin so.")
@click.option("--frames", type=Path, help="Folder for single frames of the clips.")
def main(output, only, frames):
    output.mkdir(parents=True, exist_ok=True)
    renderer = Renderer(256)
    for name, clip in clips().items():
        path = output / f"{name}.mp4"
        if not name.startswith(only):
            continue
        if not path.exists():
            render(renderer, path, *clip)
            click.echo(f"{path}: {round(clip[1] * clip[2])} frames, {len(clip[0])} faces")
        if frames:
            write_frames(path, frames)


if __name__ == "__main__":
    main()
