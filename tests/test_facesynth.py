"""The reader of rendered shards."""

import numpy as np
import pytest
from written_faces import check_points, make_points, names, write_shards

from keras_lotr.datasets import read_samples
from keras_lotr.datasets.facesynth import angles

pytestmark = pytest.mark.once


class TestFacesynth:
    def test_read(self, tmp_path):
        write_shards(tmp_path)
        train = read_samples(tmp_path, scheme="jd106")
        check_points(train[0], make_points(106), "jd106")
        assert names(train) == ["00000000.jpg", "00000001.jpg"]
        assert names(read_samples(tmp_path, "val")) == ["00019000.jpg", "00019001.jpg"]

    def test_unfinished_shard(self, tmp_path):
        write_shards(tmp_path)
        (tmp_path / "shard-00001").mkdir()
        with pytest.raises(FileNotFoundError, match="lacks .*shard-00001.*labels.npz"):
            read_samples(tmp_path)

    def test_angles_of_the_faces_that_are_read(self, tmp_path):
        write_shards(tmp_path)
        labels = tmp_path / "shard-00019" / "labels.npz"
        arrays = {**np.load(labels), "yaw": [1, 2], "pitch": [3, 4], "roll": [5, 6]}
        arrays["points68"][0] = np.nan
        np.savez(labels, **arrays)
        with pytest.warns(UserWarning, match="1 of 2 faces"):
            (sample,) = read_samples(tmp_path, "val", "ibug68")
        assert angles(tmp_path)[sample.path].tolist() == [2, 4, 6]

    def test_angles_that_nobody_wrote(self, tmp_path):
        write_shards(tmp_path)
        expected = "Expected arrays index, yaw, pitch, roll in .*labels.npz"
        with pytest.raises(ValueError, match=f"{expected}. Received: .*yaw"):
            angles(tmp_path)
        labels = tmp_path / "shard-00019" / "labels.npz"
        np.savez(labels, **{**np.load(labels), "yaw": [1], "pitch": [3], "roll": [5]})
        with pytest.raises(ValueError, match=expected):
            angles(tmp_path)
        labels.write_bytes(labels.read_bytes()[:100])
        with pytest.raises(ValueError, match=expected):
            angles(tmp_path)
