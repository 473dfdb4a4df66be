"""The reader of folders with labels.json."""

import numpy as np
import pytest
from written_faces import check_points, make_points, names, write, write_entries, write_kit

from keras_lotr.datasets import NoFaces, read_samples

pytestmark = pytest.mark.once


class TestKit:
    def test_read(self, tmp_path):
        write_kit(tmp_path)
        first, second = read_samples(tmp_path)
        check_points(first, make_points(68), "ibug68")
        assert first.tags == ("helen",) and second.tags == ()
        assert names([first, second]) == ["a.jpg", "c.jpg"]
        assert names(read_samples(tmp_path, "val", "wflw98")) == ["b.jpg"]

    def test_the_file_stands_for_its_folder(self, tmp_path):
        write_kit(tmp_path)
        assert names(read_samples(tmp_path / "labels.json")) == ["a.jpg", "c.jpg"]
        assert names(read_samples(tmp_path / "labels.json", reader="kit")) == ["a.jpg", "c.jpg"]

    def test_unknown_scheme(self, tmp_path):
        write_kit(tmp_path)
        with pytest.raises(ValueError, match="one of the schemes.*Received: 'plain5'"):
            read_samples(tmp_path, scheme="plain5")

    @pytest.mark.parametrize("text", ["{", "{}", '[{"points68": []}]'])
    def test_broken_labels(self, tmp_path, text):
        write(tmp_path / "labels.json", text)
        with pytest.raises(ValueError, match="Expected .* in .*labels.json"):
            read_samples(tmp_path)

    @pytest.mark.parametrize("key", ["landmarks", "points"])
    def test_landmarks_of_another_name(self, tmp_path, key):
        write_entries(tmp_path, [{"image": "a.jpg", key: make_points(68).tolist()}])
        told = rf'"points68": .*points106.*labels.json. Received entries with: image, {key}'
        with pytest.raises(NoFaces, match=told):
            read_samples(tmp_path, "val")

    def test_names_of_splits(self, tmp_path):
        entry = {"image": "a.jpg", "points68": make_points(68).tolist()}
        splits = ["valid", "Train", "testing", None]
        write_entries(tmp_path, [{**entry, "set": str(s), "split": s} for s in splits])
        for split, sets in (("train", "Train"), ("val", "valid"), ("test", "testing")):
            tags = {tag for sample in read_samples(tmp_path, split) for tag in sample.tags}
            assert tags == {sets, "None"}

    @pytest.mark.parametrize("split", ["held out", "", 3, ["train"], {}])
    def test_unknown_split_is_refused(self, tmp_path, split):
        entry = {"image": "a.jpg", "points98": make_points(98).tolist()}
        write_entries(tmp_path, [entry, {**entry, "split": split}])
        with pytest.raises(ValueError, match="Expected train, val or test.*labels.json, entry 1"):
            read_samples(tmp_path, "train", "wflw98")

    @pytest.mark.parametrize(
        "more",
        [
            *({"set": 3}, {"set": ["a"]}, {"tags": [{"a": 1}]}, {"tags": "a"}, {"tags": [3]}),
            *({"doubt68": "x"}, {"doubt68": 1}, {"doubt68": []}, {"doubt68": [[0]] * 68}),
            *({"doubt68": {"0": 1}}, {"seen68": "x"}, {"seen68": [[1]] * 68}, {"seen68": []}),
        ],
    )
    def test_odd_entries_are_refused_with_file_and_number(self, tmp_path, more):
        entry = {"image": "a.jpg", "points68": make_points(68).tolist()}
        write_entries(tmp_path, [entry, {**entry, **more}])
        with pytest.raises(ValueError, match=r"Expected .*labels.json, entry 1.*Received: "):
            read_samples(tmp_path)

    @pytest.mark.parametrize("doubt", [[-0.01] + [0] * 67, [0.01] * 67, [-np.inf] * 68])
    def test_doubt_that_cannot_be(self, tmp_path, doubt):
        entry = {"image": "a.jpg", "points68": make_points(68).tolist(), "doubt68": doubt}
        write_entries(tmp_path, [entry])
        with pytest.raises(ValueError, match="Expected doubt68 as a doubt of at least 0.*entry 0"):
            read_samples(tmp_path)

    def test_null_is_as_if_it_were_not_there(self, tmp_path):
        entry = {"image": "a.jpg", "points68": make_points(68).tolist()}
        nothing = dict.fromkeys(("split", "set", "tags", "doubt68", "seen68", "points98"))
        write_entries(tmp_path, [{**entry, **nothing}])
        (sample,) = read_samples(tmp_path)
        assert (sample.tags, sample.weights, sample.visibility) == ((), None, None)

    def test_gaps_tags_and_doubt(self, tmp_path):
        points = make_points(98).tolist()
        points[7] = None
        doubt = [0.0] * 98
        doubt[3], doubt[5], doubt[7] = 0.02, None, None  # null is no doubt, and 7 is a gap
        entry = {"image": "a.png", "set": "wider", "tags": ["blur"], "points98": points}
        write_entries(tmp_path, [{**entry, "doubt98": doubt}, {**entry, "set": "wflw"}])
        doubtful, sure = read_samples(tmp_path, "train", "wflw98")
        assert doubtful.tags == ("wider", "blur") and sure.tags == ("wflw", "blur")
        assert np.flatnonzero(~doubtful.labelled).tolist() == [7]
        assert np.flatnonzero(doubtful.weights != 1).tolist() == [3, 7]
        assert doubtful.weights[[3, 7]].tolist() == [0.5, 0]
        assert sure.weights is None
