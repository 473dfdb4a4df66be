"""The tracker of the page in web does what the library's does."""

import base64

import cv2
import numpy as np
import pytest
import static_page
from test_static_smoothing import heads
from test_tracker import Landmarker, picture

from keras_lotr import Face, FaceTracker, geometry
from keras_lotr.inference.certainty import quality
from keras_lotr.schemes import get_scheme
from keras_lotr.tracking import crops, track
from keras_lotr.tracking.association import assign, distances

pytestmark = pytest.mark.once
pytest.importorskip("scipy")


def node(module, expression, **values):
    return static_page.run_node(module, expression, {**values, "facts": static_page.FACTS})


def test_crops_and_boxes_are_those_of_the_library():
    frames, _ = heads()
    scheme, preprocessor = get_scheme("ibug68"), Landmarker().preprocessor
    steady, beside, expected = crops.SteadyCrop(), crops.BoxesBeside(), []
    boxes = [geometry.box_of(points) + [3, 4, 5, 6] for points in frames]
    for i, points in enumerate(frames):
        degrees = crops.upright_degrees(points, scheme)
        matrix = steady(points, degrees, i / 25, preprocessor, beside.offset)
        beside.compare(geometry.box_of(points), Face(boxes[i], score=0.9))
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

    sure_score = static_page.FACTS["detector"]["score_threshold"]

    def __init__(self):
        super().__init__()
        self.certain(0.5)
        self.detections, self.calls = [], []

    def detector(self, image):
        faces = super().detector(image)
        self.detections.append([{"box": f.box.tolist(), "score": f.score} for f in faces])
        return faces

    def landmarks_of(self, crops, matrices):
        found = list(super().landmarks_of(crops, matrices))
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


def slowly(i):
    return 2.0 * i


def with_a_gap(i):
    return i / 25 + 2 * (i >= 10)


@pytest.mark.parametrize("time", [lambda i: i / 25, slowly, with_a_gap])
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
def test_follows_faces_as_the_library(scene, sigma, time):
    recorder = Recorder()
    tracker = FaceTracker(recorder, smooth="light")
    frames, expected = [], []
    for i, people in enumerate(scene()):
        if sigma and i in sigma:
            recorder.certain(sigma[i])
        image, recorder.boxes = picture(*people)
        recorder.detections, recorder.calls = [], []
        faces = tracker(image, time(i))
        expected.append(faces)
        told = {"detections": recorder.detections, "calls": recorder.calls}
        frames.append({"image": encoded(image), "time": time(i), **told})
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
  for (const frame of v.frames) {
    [told, asked, calls] = [frame, 0, []];
    const data = Uint8ClampedArray.from(Buffer.from(frame.image, "base64"));
    const faces = await tracker.next({ data, width, height }, frame.time);
    results.push({ faces, asked, calls });
  }
  return results;
})()"""
