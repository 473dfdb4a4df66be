"""The tracker of the page in web does what the library's does."""

import base64
import json

import cv2
import numpy as np
import pytest
import static_page
import tiny
from test_tracker import Landmarker, picture

from keras_lotr import FaceTracker, geometry
from keras_lotr.inference.certainty import quality
from keras_lotr.schemes import get_scheme
from keras_lotr.tracking import crops, track
from keras_lotr.tracking.association import assign, distances
from keras_lotr.tracking.smoothing import STRENGTHS, OneEuro

pytestmark = pytest.mark.once
pytest.importorskip("scipy")
FACTS = json.loads((static_page.STATIC / "src" / "facts.json").read_text())
FACE = 100 * tiny.face_layout() + 45


def node(module, expression, **values):
    return static_page.run_node(module, expression, {**values, "facts": FACTS})


def test_the_one_euro_filter_is_that_of_the_library():
    random = np.random.default_rng(0)
    values = 0.01 * np.cumsum(random.normal(size=(40, 68, 2)), axis=0)
    times = np.cumsum(random.uniform(0.01, 0.2, 40))
    noise, matrix = random.uniform(0, 0.5, (68, 1)), geometry.similarity([0, 0], [0.1, 0], 1.1, 5)
    settings = STRENGTHS["light"]
    filtered = OneEuro(settings.cutoff, settings.beta)
    expected = []
    for value, time in zip(values, times, strict=True):
        if expected:
            filtered.move(lambda points: geometry.apply(matrix, points))
        expected.append(filtered(value, time, noise))
    found = node(
        "smoothing.js",
        """(() => {
          const { cutoff, beta, speed_cutoff } = v.facts.tracking.smoothing;
          const filter = new m.OneEuro(cutoff, beta, speed_cutoff);
          return v.values.map((value, i) => {
            if (i) filter.move(v.matrix);
            return filter.next(value, v.times[i], v.noise);
          });
        })()""",
        values=values.tolist(),
        times=times.tolist(),
        noise=noise[:, 0].tolist(),
        matrix=matrix.tolist(),
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def heads(count=40):
    """Landmarks of a face that goes to and fro, turns and grows, and where it is in each frame."""
    sway = np.sin(np.arange(count) / 3)
    moves = [geometry.similarity([95, 95], [95 + 12 * a, 95], 1 + 0.05 * a, 6 * a) for a in sway]
    return np.array([geometry.apply(move, FACE) for move in moves]), moves


def test_similarities_are_those_of_the_library():
    frames, _ = heads(9)
    expected = geometry.fit_similarity(frames[0], frames[8])
    expression = "m.fitSimilarity(v.from, v.to, v.from.map(() => 2))"
    values = {"from": frames[0].tolist(), "to": (frames[8]).tolist()}
    np.testing.assert_allclose(node("geometry.js", expression, **values), expected, atol=1e-9)
    expected = geometry.similarity([3, 4], [50, 60], 1.5, 20)
    found = node("geometry.js", "m.similarity([3, 4], [50, 60], 1.5, 20)")
    np.testing.assert_allclose(found, expected, atol=1e-9)
    expected = geometry.crop_from_box([20.5, 31.0, 120.25, 95.0], 192, 1.3, 30)
    found = node("geometry.js", "m.cropFromBox([20.5, 31.0, 120.25, 95.0], 192, 1.3, 30)")
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_motion_of_a_head_does_not_follow_its_mouth():
    scheme = get_scheme("ibug68")
    before = FACE / 192
    turn = geometry.similarity([0.5, 0.5], [0.53, 0.5], 1.02, 4)
    after = geometry.apply(turn, before)
    after[list(scheme.regions["mouth"])] += [0, 0.04]
    after[list(scheme.regions["eyes"])] += [0, 0.01]
    values = {"before": before.tolist(), "after": after.tolist()}
    expression = "m.headMotion(v.before, v.after, v.facts.tracking.smoothing.outlier)"
    found = np.array(node("smoothing.js", expression, **values))
    np.testing.assert_allclose(
        geometry.apply(found, before), geometry.apply(turn, before), rtol=0, atol=1e-3
    )


def smoothed(frames, rate=25):
    """What the page makes of these landmarks in crops of 192 pixels."""
    expression = """(() => {
      const smoother = new m.FaceSmoother(v.facts.tracking.smoothing);
      return v.frames.map((points, i) => {
        const sigma = points.map(() => [1, 0, 1]);
        return smoother.next(points, [[1, 0, 0], [0, 1, 0]], 192, i / v.rate, sigma);
      });
    })()"""
    return np.array(node("smoothing.js", expression, frames=np.array(frames).tolist(), rate=rate))


def test_smoothed_landmarks_tremble_less_and_follow_the_head():
    frames, _ = heads()
    noise = np.random.default_rng(0).normal(0, 0.4, frames.shape)
    still = smoothed(frames)
    np.testing.assert_allclose(still, frames, rtol=0, atol=1e-6)
    errors = smoothed(frames + noise) - frames

    def trembling(values):
        return np.linalg.norm(values[2:] - 2 * values[1:-1] + values[:-2], axis=-1)[10:].mean()

    assert trembling(errors) < 0.5 * trembling(noise)
    assert np.linalg.norm(errors[10:], axis=-1).mean() < 0.6 * np.linalg.norm(noise, axis=-1).mean()


def test_a_blink_stays_a_blink():
    eyes = list(get_scheme("ibug68").regions["eyes"])
    frames = np.tile(FACE, (20, 1, 1))
    frames[8:12, eyes] += [0, 6]
    shut = smoothed(frames)[11, eyes, 1] - FACE[eyes, 1]
    assert shut.min() > 0.8 * 6


def test_crops_and_boxes_are_those_of_the_library():
    frames, _ = heads()
    scheme, preprocessor = get_scheme("ibug68"), Landmarker().preprocessor
    steady, beside, expected = crops.SteadyCrop(), crops.BoxesBeside(), []
    boxes = [geometry.box_of(points) + [3, 4, 5, 6] for points in frames]
    for i, points in enumerate(frames):
        degrees = crops.upright_degrees(points, scheme)
        matrix = steady(points, degrees, i / 25, preprocessor, beside.offset)
        beside.compare(geometry.box_of(points), track_face(boxes[i]))
        expected.append([matrix.tolist(), beside.offset.tolist(), degrees])
    found = node(
        "crops.js",
        """(() => {
          const { tracking, schemes } = v.facts;
          const [steady, beside] = [new m.SteadyCrop(tracking), new m.BoxesBeside(tracking)];
          return v.frames.map((points, i) => {
            const degrees = m.uprightDegrees(points, schemes.ibug68.five_points);
            const crop = steady.next(points, degrees, i / 25, v.crop, beside.offset);
            beside.compare(v.around[i], { box: v.boxes[i] });
            return [crop, beside.offset, degrees];
          });
        })()""",
        frames=frames.tolist(),
        boxes=np.array(boxes).tolist(),
        around=[geometry.box_of(points).tolist() for points in frames],
        crop={"image_size": preprocessor.image_size, "margin": preprocessor.margin},
    )
    for (matrix, offset, degrees), (matrix2, offset2, degrees2) in zip(
        found, expected, strict=True
    ):
        np.testing.assert_allclose(matrix, matrix2, rtol=0, atol=1e-6)
        np.testing.assert_allclose(offset, offset2, rtol=0, atol=1e-6)
        assert degrees == pytest.approx(degrees2)


def track_face(box):
    from keras_lotr import Face

    return Face(box, score=0.9)


def test_portraits_are_those_of_the_library():
    random = np.random.default_rng(0)
    cells = random.integers(0, 255, (2, 9, 9, 3)).astype(np.uint8)
    pair = [cv2.resize(c, (128, 128), interpolation=cv2.INTER_CUBIC) for c in cells]
    expected = [track.portrait(crop) for crop in pair]
    found = node(
        "portrait.js",
        """(() => {
          const data = (text) => Uint8ClampedArray.from(Buffer.from(text, "base64"));
          const portraits = v.crops.map((text) =>
            m.portrait({ data: data(text), width: 128, height: 128 }, v.facts.tracking.track));
          return { portraits, likeness: m.likeness(...portraits) };
        })()""",
        crops=[encoded(crop) for crop in pair],
    )
    np.testing.assert_allclose(
        np.reshape(found["portraits"], (2, 12, 12, 3)), expected, rtol=0, atol=1e-3
    )
    assert found["likeness"] == pytest.approx(track.likeness(*expected), abs=1e-3)


def encoded(image):
    """(H, W, 3) as the RGBA bytes of the page's images, in base64."""
    return base64.b64encode(np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])).decode()


def test_association_is_that_of_the_library():
    random = np.random.default_rng(0)
    corners = 100 * np.arange(5)[:, None] + random.uniform(0, 20, (5, 2))
    boxes = np.concatenate([corners, corners + random.uniform(40, 60, (5, 2))], axis=1)
    others = (boxes + random.uniform(-8, 8, boxes.shape))[[3, 1, 4, 0]]
    expected = distances(boxes, others)
    found = node(
        "association.js",
        """(() => {
          const cost = v.boxes.map((box) => v.others.map((other) => m.distance(box, other)));
          return { cost, pairs: m.assign(cost, v.boxes.map(() => 0.7)) };
        })()""",
        boxes=boxes.tolist(),
        others=others.tolist(),
    )
    np.testing.assert_allclose(found["cost"], expected, rtol=0, atol=1e-9)
    assert sorted(map(tuple, found["pairs"])) == assign(expected, 0.7)
    assert len(found["pairs"]) == 4


class Recorder(Landmarker):
    """Notes what the tracker asks in each frame, and what it was told."""

    def __init__(self):
        super().__init__()
        self.certain(0.5)
        self.detections, self.calls = [], []

    def detector(self, image):
        faces = super().detector(image)
        self.detections.append([{"box": f.box.tolist(), "score": f.score} for f in faces])
        return faces

    def landmarks_of(self, crops, matrices):
        found = []
        for points, known in super().landmarks_of(crops, matrices):
            points = points.astype(np.float64)
            found.append((points, known))
        self.calls.append(
            {
                "matrices": [np.asarray(matrix).tolist() for matrix in matrices],
                "found": [
                    {
                        "points": points.tolist(),
                        "sigma": known["sigma"].reshape(-1, 4)[:, [0, 1, 3]].tolist(),
                        "visible": known["visible"].tolist(),
                        "quality": quality(known["sigma"], points),
                    }
                    for points, known in found
                ],
            }
        )
        return found


def crossing():
    return [[(1, 20 + 7 * i, 60, 66), (2, 230 - 7 * i, 70, 70)] for i in range(31)]


def hidden_and_back():
    seen = [(1, 100, 60, 70)]
    return [seen] * 12 + [[]] * 20 + [[(1, 110, 62, 70)]] * 6 + [[]] * 30 + [seen] * 4


def coming_and_going():
    return [[(1, 20, 60, 60)]] * 6 + [[(1, 20, 60, 60), (2, 200, 60, 60)]] * 8 + [[]] * 8


def close_together():
    frames = [[(1, 20 + 4 * i, 60, 66), (2, 90 + 4 * i, 64, 66)] for i in range(40)]
    return frames[:30] + [people[:1] for people in frames[30:34]] + frames[34:]


@pytest.mark.parametrize(
    ("scene", "sigma"),
    [
        (crossing, None),
        (hidden_and_back, None),
        (coming_and_going, None),
        (close_together, None),
        (lambda: [[(1, 100, 60, 70)]] * 20, {8: 20.0, 13: 0.5}),  # covered for a while
        (lambda: [[(1, 100, 60, 70)]] * 8, {0: 40.0}),  # no face
    ],
)
def test_follows_faces_as_the_library(scene, sigma):
    recorder = Recorder()
    tracker = FaceTracker(recorder, smooth="light")
    frames, expected = [], []
    for i, people in enumerate(scene()):
        if sigma and i in sigma:
            recorder.certain(sigma[i])
        image, recorder.boxes = picture(*people)
        recorder.detections, recorder.calls = [], []
        faces = tracker(image, i / 25)
        expected.append(faces)
        told = {"detections": recorder.detections, "calls": recorder.calls}
        frames.append({"image": encoded(image), **told})
    preprocessor = recorder.preprocessor
    size = {"image_size": preprocessor.image_size, "margin": preprocessor.margin}
    found = node("tracker.js", FOLLOW, frames=frames, crop=size, shape=image.shape)
    asked = [(f["asked"], [c["matrices"] for c in f["calls"]]) for f in found]
    for i, (frame, (looks, matrices)) in enumerate(zip(frames, asked, strict=True)):
        assert looks == len(frame["detections"]), i
        wanted = [call["matrices"] for call in frame["calls"] if call["matrices"]]
        assert len(wanted) == len(matrices), i
        for ours, theirs in zip(matrices, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)
    for result, faces in zip(found, expected, strict=True):
        assert [face["trackId"] for face in result["faces"]] == [face.track_id for face in faces]
        for ours, theirs in zip(result["faces"], faces, strict=True):
            np.testing.assert_allclose(ours["points"], theirs.points, rtol=0, atol=2)
            assert ours["degrees"] == pytest.approx(theirs.degrees, abs=1e-3)


FOLLOW = """await (async () => {
  const facts = { ...v.facts, landmarker: { ...v.facts.landmarker, ...v.crop } };
  const [height, width] = v.shape;
  let told, asked, calls;
  const detect = async () => told.detections[asked++];
  const landmarksOf = async (crops, matrices) => {
    if (!crops.length) return [];
    calls.push({ matrices });
    return told.calls.filter(({ found }) => found.length)[calls.length - 1].found;
  };
  const tracker = new m.FaceTracker(detect, landmarksOf, facts);
  const results = [];
  for (const [i, frame] of v.frames.entries()) {
    [told, asked, calls] = [frame, 0, []];
    const data = Uint8ClampedArray.from(Buffer.from(frame.image, "base64"));
    const faces = await tracker.next({ data, width, height }, i / 25);
    results.push({ faces, asked, calls });
  }
  return results;
})()"""
