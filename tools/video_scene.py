"""A person of the renderer facesynth who moves: drawn into a wide image, with exact landmarks.

`facesynth.compose.Renderer.sample` draws one face of one moment. Here the same random numbers are
drawn again for each frame, so that the person stays who it is, and what moves is given.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from facesynth import rasterizer as rz
from facesynth.background import sample_background
from facesynth.camera import Camera, rotation, sample_pose
from facesynth.compose import SUPERSAMPLE, VISIBLE_COVER, VISIBLE_DEPTH
from facesynth.expression import Expression
from facesynth.hair import sample_hair, stain_scalp, style_fade
from facesynth.head import build_head
from facesynth.headwear import FaceFrame, sample_headwear
from facesynth.identity import sample_identity
from facesynth.landmarks import to_ibug68
from facesynth.lighting import sample_lights
from facesynth.skin import sample_skin

_FACE_LENGTH = 1.15  # dm between brows and chin, about


@dataclass(frozen=True)
class Moment:
    """What a person does in one frame.

    Attributes:
        x, y: where the face is, in pixels.
        size: about the height of the box around the landmarks, in pixels.
        yaw, pitch, roll: degrees, as `facesynth.camera.Pose` has them.
        units: {unit of expression: weight}.
        gaze: radians, to the left.
    """

    x: float
    y: float
    size: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    units: dict = field(default_factory=dict)
    gaze: float = 0.0


class Person:
    """Someone whom the seed decides.

    Args:
        renderer: `facesynth.compose.Renderer`.
        seed: integer.
    """

    def __init__(self, renderer, seed):
        self.renderer, self.seed = renderer, seed

    def background(self, width, height):
        """(height, width, 3) float32, linear light, at the renderer's finer raster."""
        rng = np.random.default_rng([self.seed, 1])
        rig = sample_lights(rng, self.renderer.assets.environments, 20.0)
        side = max(width, height)
        plate = sample_background(rng, self.renderer.assets.atlas, rig, side, side * SUPERSAMPLE)
        return np.ascontiguousarray(plate[: height * SUPERSAMPLE, : width * SUPERSAMPLE])

    def draw(self, image, moment):
        """Draw the person over what is in `image`.

        Args:
            image: (H, W, 3) float32, linear light, at the finer raster; changed in place.
            moment: `Moment`.

        Returns:
            {"points98": (98, 2), "points68": (68, 2), "visible98": (98,) bool}, in pixels of the
            image at its own size, and {"cover", "skin": (H, W) bool}: where the person and its
            skin are in the raster.
        """
        rng, renderer = np.random.default_rng(self.seed), self.renderer
        assets, landmarks = renderer.assets, renderer.landmarks
        person = sample_identity(rng, assets.target_index)
        hair = sample_hair(rng, assets, person)
        expression = Expression("video", dict(moment.units), moment.gaze, 0.0)
        head = build_head(rng, assets, landmarks, person, expression)
        frame = FaceFrame.of(landmarks.skin_points(head.v))
        hat = sample_headwear(rng, frame)
        if hat is not None:
            head.tuck_ears(hat.covers(head.v))
        pose = _turned(sample_pose(rng, head), moment)
        fitted = {n: head.fit(n) for n in renderer._part_names(rng, hair)}
        placed = {n: pose.apply(x, assets.parts[n].head_weight) for n, x in fitted.items()}
        skin = pose.apply(head.v, assets.head_weight)
        eyes = placed[assets.kinds["eye"][0]]
        fixed, _ = landmarks.locate(skin, hair.brow, placed[hair.brow], eyes, pose.head[:, 1])
        marched = landmarks.march(skin, fixed, pose.head[:, 2])
        camera = _camera(pose, moment)

        far = fixed - np.array([0, 0, 1e3])  # what the hand may hold is hidden behind the head
        opaque = renderer._opaque(rng, person, skin, placed, far, frame)
        rig = sample_lights(rng, assets.environments, pose.distance)
        rig.add_shadow_mesh(opaque.positions, opaque.faces)
        fade = None
        if hair.style:
            covered = None if hat is None else hat.covers(fitted[hair.style])
            fade = style_fade(assets.parts[hair.style], hair, covered)
        zbuf = np.zeros(image.shape[:2])
        ids = np.full(image.shape[:2], -1, np.int32)
        projected = camera.project(opaque.positions)
        rz.rasterize(projected, opaque.faces, True, zbuf, ids)
        looks = sample_skin(rng, assets, person)
        stain_scalp(assets, hair, looks.gain)
        renderer._shade(rng, opaque, projected, ids, rig, looks, image)
        cover = renderer._blend(
            rng,
            opaque,
            rig,
            head,
            person,
            pose,
            hair,
            hat,
            fade,
            fitted,
            placed,
            camera,
            zbuf,
            image,
        )
        points = camera.to_pixels(marched, SUPERSAMPLE).astype(np.float32)
        return {
            "points98": points,
            "points68": to_ibug68(points),
            "visible98": _visible(camera.project(marched), zbuf, cover),
            "cover": (ids >= 0) | (cover > VISIBLE_COVER),
            "skin": (ids >= 0) & (ids < len(assets.faces)) & (cover < VISIBLE_COVER),
        }


def _turned(pose, moment):
    """The person's pose with the angles of the moment; the neck does a third of the turn."""
    yaw, pitch, roll = np.deg2rad([moment.yaw, moment.pitch, moment.roll])
    neck = rotation("y", yaw / 3) @ rotation("x", -pitch / 3)
    body = rotation("z", roll) @ rotation("y", yaw) @ rotation("x", -pitch) @ neck.T
    angles = {"yaw": moment.yaw, "pitch": moment.pitch, "roll": moment.roll}
    return replace(pose, neck=neck, body=body, **angles)


def _camera(pose, moment):
    focal = moment.size * SUPERSAMPLE * pose.distance / _FACE_LENGTH
    return Camera(focal, moment.x * SUPERSAMPLE, moment.y * SUPERSAMPLE)


def _visible(projected, zbuf, cover):
    """(98,) bool: inside of the image and not behind the head, hair or glasses."""
    x, y = (projected[:, i].astype(int) for i in (0, 1))
    inside = (x >= 0) & (y >= 0) & (x < zbuf.shape[1]) & (y < zbuf.shape[0])
    x, y = np.clip(x, 0, zbuf.shape[1] - 1), np.clip(y, 0, zbuf.shape[0] - 1)
    behind = 1 / projected[:, 2] - 1 / np.maximum(zbuf[y, x], 1e-6)
    return inside & (behind < VISIBLE_DEPTH) & (cover[y, x] < VISIBLE_COVER)


def develop(image, gain, rng, noise=0.012):
    """(H, W, 3) uint8 RGB of the camera, from linear light at the finer raster.

    Args:
        image: float32, linear light.
        gain: exposure, the same in all frames of a clip, see `exposure`.
        rng: of this frame's noise.
        noise: its standard deviation, of 0..1.
    """
    size = image.shape[1] // SUPERSAMPLE, image.shape[0] // SUPERSAMPLE
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA) * gain
    image = np.clip(image * (1 + image * 0.12) / (1 + image * 0.45), 0, 1)
    image = np.where(image <= 0.0031308, image * 12.92, 1.055 * image ** (1 / 2.4) - 0.055)
    image = image + rng.normal(0, noise, image.shape)
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)


def exposure(image, skins):
    """What makes faces middling bright, and burns out none.

    Args:
        image: (H, W, 3) float32, linear light.
        skins: list of (H, W) bool, where each person's skin is.
    """
    middle, bright = np.max([np.percentile(image[skin].mean(-1), (50, 90)) for skin in skins], 0)
    return float(min(0.2 / max(middle, 1e-3), 0.7 / max(bright, 1e-3)))
