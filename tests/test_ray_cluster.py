"""Many images on a cluster of two nodes, of which one is lost in the middle."""

import shutil
import threading
import time
from pathlib import Path

import pytest

from keras_lotr.inference.saved_results import read_entries

pytestmark = [
    pytest.mark.once,
    # Of Ray's own code, and of what it leaves to the end of the process.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
EXAMPLES = Path(__file__).parents[1] / "examples"
COPIES = 60


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes of one CPU each, on this machine, with processes of their own."""
    ray = pytest.importorskip("ray", reason="needs Ray")
    pytest.importorskip("ray.data", reason="needs ray[data]")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_nothing_is_lost_with_a_node(cluster, tmp_path):
    from keras_lotr.ray import predict

    photos, out, lost = tmp_path / "photos", tmp_path / "faces", []
    photos.mkdir()
    for i in range(COPIES):
        shutil.copy(EXAMPLES / "group.jpg", photos / f"{i:02}.jpg")

    def lose_the_second():
        while not out.is_dir() or not any(out.iterdir()):
            time.sleep(0.05)
        cluster.remove_node(cluster.second, allow_graceful=False)
        lost.append(time.monotonic())

    thread = threading.Thread(target=lose_the_second, daemon=True)
    thread.start()
    counts = predict(photos, "lotr_s_68", out, rows_per_file=14)
    ended = time.monotonic()
    thread.join()
    assert lost[0] < ended
    assert (counts.images, counts.faces, counts.failed) == (COPIES, 7 * COPIES, 0)
    entries = [entry for path in out.iterdir() for entry in read_entries(path)]
    assert sorted(Path(e["source"]).name for e in entries) == sorted(
        p.name for p in photos.iterdir()
    )
    assert all(entry["faces"] == entries[0]["faces"] for entry in entries)
