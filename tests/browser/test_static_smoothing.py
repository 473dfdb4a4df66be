"""The page in web smooths landmarks as the library does, up to how it sees the head move."""

import numpy as np
import pytest
import static_page
import tiny

from keras_lotr import geometry
from keras_lotr.schemes import get_scheme
from keras_lotr.tracking.smoothing import STRENGTHS, LandmarkFilter, OneEuro

pytestmark = pytest.mark.once
FACE = 100 * tiny.face_layout() + 45


def node(module, expression, **values):
    return static_page.run_node(module, expression, {**values, "facts": static_page.FACTS})


def random_landmarks():
    """(40, 68, 2) landmarks that wander, their times, and how much each trembles, (68, 1)."""
    random = np.random.default_rng(0)
    values = 0.01 * np.cumsum(random.normal(size=(40, 68, 2)), axis=0)
    return values, np.cumsum(random.uniform(0.01, 0.2, 40)), random.uniform(0, 0.05, (68, 1))


def test_the_one_euro_filter_is_that_of_the_library():
    values, times, _ = random_landmarks()
    filtered = OneEuro(0.5, 5.0)
    expected = [filtered(value, time) for value, time in zip(values, times, strict=True)]
    found = node(
        "smoothing.js",
        """(() => {
          const settings = { ...v.facts.tracking.smoothing, cutoff: 0.5, beta: 5, noise: 0 };
          const filter = new m.OneEuro(settings);
          return v.values.map((value, i) => filter.next(value, v.times[i]));
        })()""",
        values=values.tolist(),
        times=times.tolist(),
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_the_filter_of_landmarks_is_that_of_the_library():
    values, times, errors = random_landmarks()
    matrix = np.array([[1, 0, 0.02], [0, 1, 0.01]])
    filtered, expected = LandmarkFilter(STRENGTHS["light"], errors), []
    for value, time in zip(values, times, strict=True):
        if expected:
            filtered.move(np.array([0.02, 0.01]))
        expected.append(filtered(value, time))
    found = node(
        "smoothing.js",
        """(() => {
          const filter = new m.LandmarkFilter(v.facts.tracking.smoothing, v.errors);
          return v.values.map((value, i) => {
            if (i) filter.move(v.matrix);
            return filter.next(value, v.times[i]);
          });
        })()""",
        values=values.tolist(),
        times=times.tolist(),
        errors=errors[:, 0].tolist(),
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
    values = {"from": frames[0].tolist(), "to": frames[8].tolist()}
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


def trembling(values):
    return np.linalg.norm(values[2:] - 2 * values[1:-1] + values[:-2], axis=-1)[10:].mean()


@pytest.mark.parametrize("together", [False, True])
def test_landmarks_at_rest_do_not_tremble(together):
    noise = np.random.default_rng(0).normal(0, 0.4, (60, 1 if together else 68, 2))
    frames = FACE + noise
    assert trembling(smoothed(frames)) < 0.4 * trembling(frames)


def test_a_head_that_moves_is_not_held_back():
    frames, _ = heads()
    assert np.linalg.norm(smoothed(frames) - frames, axis=-1).max() < 2
    noise = np.random.default_rng(0).normal(0, 0.4, frames.shape)
    errors = smoothed(frames + noise) - smoothed(frames)
    assert trembling(errors) < 0.5 * trembling(noise)


def test_a_blink_stays_a_blink():
    eyes = list(get_scheme("ibug68").regions["eyes"])
    frames = np.tile(FACE, (20, 1, 1))
    frames[8:12, eyes] += [0, 6]
    shut = smoothed(frames)[11, eyes, 1] - FACE[eyes, 1]
    assert shut.min() > 0.8 * 6
