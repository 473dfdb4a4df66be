"""One labelled face, and what names of folders say of their split."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from written_faces import make_points

from keras_lotr.datasets import Sample
from keras_lotr.datasets.samples import scheme_of, split_of
from keras_lotr.schemes import get_scheme, named_scheme

pytestmark = pytest.mark.once


class TestSample:
    def test_wrong_points(self):
        with pytest.raises(ValueError, match=r"Expected \(68, 2\) finite.*a.jpg.*\(5, 2\)"):
            Sample("a.jpg", np.zeros((5, 2)), "ibug68")
        with pytest.raises(ValueError, match="finite.*a.jpg.*infinite: True"):
            Sample("a.jpg", np.full((68, 2), np.inf), "ibug68")

    def test_equal(self):
        points = make_points(5)
        points[1] = np.nan
        sample = Sample("a.jpg", points, "plain5", weights=np.ones(5))
        same = copy.deepcopy(sample)
        assert sample == same and {sample, same} == {sample} and [same].index(sample) == 0
        for change in ({"path": "b.jpg"}, {"weights": None}, {"tags": "pose"}):
            assert replace(sample, **change) != sample
        assert sample != "a.jpg"

    def test_what_was_given_is_copied_and_in_one_form(self):
        box = np.array([0, 0, 90, 90], np.float32)
        config = get_scheme("plain5").to_config()
        sample = Sample("a.jpg", make_points(5), config, box=box, tags="pose")
        box[:] = 0
        assert sample.box.tolist() == [0, 0, 90, 90] and sample.tags == ("pose",)
        assert sample.scheme == named_scheme(config)

    def test_gaps(self):
        points = make_points(5)
        points[1, 0] = points[3] = np.nan
        sample = Sample("a.jpg", points, "plain5")
        assert sample.labelled.tolist() == [True, False, True, False, True]
        assert np.isnan(sample.points_image).all(-1).tolist() == (~sample.labelled).tolist()
        labelled = points[[0, 2, 4]]
        assert sample.box.tolist() == [*labelled.min(0), *labelled.max(0)]
        assert sample.weights is None
        assert sample.label_weights.tolist() == [1, 0, 1, 0, 1]

    def test_nothing_labelled(self):
        with pytest.raises(ValueError, match="at least one landmark with a label for a.jpg"):
            Sample("a.jpg", np.full((68, 2), np.nan), "ibug68")

    def test_one_labelled_landmark_makes_no_box(self):
        points = np.full((5, 2), np.nan)
        points[2] = 30
        with pytest.raises(ValueError, match="Expected a box.*a.jpg"):
            Sample("a.jpg", points, "plain5")
        assert Sample("a.jpg", points, "plain5", box=(20, 20, 40, 40)).labelled.sum() == 1

    def test_labelled_landmarks_on_a_line(self):
        points = np.full((5, 2), np.nan)
        points[:2] = [[20, 30], [40, 30]]
        assert Sample("a.jpg", points, "plain5").box.tolist() == [20, 29.5, 40, 30.5]

    def test_weights(self):
        points = make_points(3)
        points[1] = np.nan
        sample = Sample("a.jpg", points, "plain3", weights=[0.5, 2, 0.25])
        assert sample.weights.tolist() == sample.label_weights.tolist() == [0.5, 0, 0.25]
        assert sample.weights.dtype == np.float32

    @pytest.mark.parametrize("weights", [[1, 1], [1, 1, -1], [1, np.nan, 1]])
    def test_bad_weights(self, weights):
        with pytest.raises(ValueError, match="Expected a weight of at least 0.*of a.jpg"):
            Sample("a.jpg", make_points(3), "plain3", weights=weights)

    def test_empty_box(self):
        with pytest.raises(ValueError, match="Expected a box.*a.jpg.*Received"):
            Sample("a.jpg", np.zeros((68, 2)), "ibug68")

    def test_origin_is_told(self):
        with pytest.raises(ValueError, match=r"Expected a box.*for a.jpg \(list.txt, line 3\)"):
            Sample("a.jpg", np.ones((68, 2)), "ibug68", origin="list.txt, line 3")

    def test_own_box(self):
        sample = Sample("a.jpg", make_points(68), "ibug68", box=(1, 2, 3, 4))
        assert sample.box.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("trainset", "train"),
        ("Training_data", "train"),
        ("person_keypoints_train2017", "train"),
        ("valid", "val"),
        ("Validation", "val"),
        ("Test_data1", "test"),
        ("testset", "test"),
        ("trainval", None),
        ("latest", None),
        ("values", None),
        ("afw", None),
    ],
)
def test_split_of(name, split):
    assert split_of(name) == split


def test_scheme_of():
    assert scheme_of(106) == scheme_of(106, "ibug68") == "jd106"
    assert scheme_of(106, "insightface106") == "insightface106"
    assert scheme_of(7) == "plain7"
