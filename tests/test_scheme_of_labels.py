"""The order of landmarks that results of `predict` name is the order in which they are read."""

import numpy as np
import pytest
from test_own_scheme import OWN

from keras_lotr.conversions import convert
from keras_lotr.datasets import read_samples
from keras_lotr.inference import formats
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once


def results(path, scheme):
    """The path of a file of one face of that scheme, and its landmarks."""
    count = get_scheme(scheme).num_landmarks
    points = np.random.default_rng(0).uniform(10, 90, (count, 2)).round(3)
    face = FaceLandmarks(points, [0, 0, 99, 99], None, scheme)
    entries = [{"source": "a.jpg", "width": 100, "height": 100, "faces": [face.to_dict()]}]
    formats.write_entries(path, "coco" if path.suffix == ".json" else path.suffix[1:], entries)
    return path, points


@pytest.fixture(params=["a.csv", "a.parquet", "a.json"])
def path(request, tmp_path):
    if request.param.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="reads and writes Parquet")
    (tmp_path / "a.jpg").touch()
    return tmp_path / request.param


@pytest.mark.parametrize("scheme", ["insightface106", "jd106", "wflw98", "ibug68", "plain68"])
def test_it_is_believed(scheme, path):
    path, points = results(path, scheme)
    (sample,) = read_samples(path)
    assert sample.scheme == scheme
    np.testing.assert_allclose(sample.points_image, points)


@pytest.mark.parametrize(
    ("scheme", "wanted"),
    [("insightface106", "jd106"), ("insightface106", "ibug68"), ("jd106",) * 2],
)
def test_and_read_as_another(scheme, wanted, path):
    path, points = results(path, scheme)
    (sample,) = read_samples(path, scheme=wanted)
    np.testing.assert_allclose(sample.points_image, convert(points, scheme, wanted))


def test_one_that_says_otherwise_is_refused(path):
    path, _ = results(path, "plain68")
    with pytest.raises(ValueError, match="Expected ibug68 landmarks.*Received: plain68"):
        read_samples(path, scheme="ibug68")


def test_a_scheme_of_ones_own(path):
    path, points = results(path, OWN)
    for wanted in (None, OWN):
        (sample,) = read_samples(path, scheme=wanted)
        assert sample.scheme == OWN
        np.testing.assert_allclose(sample.points_image, points)


@pytest.mark.parametrize("said", ["person", "", "wflw98", "7", '"x"', "{}", "{"])
def test_a_column_that_means_something_else(said, tmp_path):
    (tmp_path / "a.jpg").touch()
    cell = said.replace('"', '""')
    (tmp_path / "a.csv").write_text(f'image,x0,y0,x1,y1,scheme\na.jpg,1,2,30,40,"{cell}"\n')
    (sample,) = read_samples(tmp_path / "a.csv")
    assert sample.scheme == "plain2"
