"""The reader of rendered shards."""

import pytest
from written_faces import check_points, make_points, names, write_shards

from keras_lotr.datasets import read_samples

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
