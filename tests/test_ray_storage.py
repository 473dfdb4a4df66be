"""Many images on a storage, with Ray: from and to a server that speaks S3's protocol."""

from pathlib import Path

import pytest
from pyarrow.fs import FileSelector

import keras_lotr
from keras_lotr.inference.saved_results import read_entries

pytestmark = [
    pytest.mark.once,
    # Of Ray's and moto's own code, and of what they leave to the end of the process.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def bucket(monkeypatch):
    """A bucket with a photo and a file that is no image, and an own Ray that knows where it is."""
    ray = pytest.importorskip("ray", reason="needs Ray")
    pytest.importorskip("ray.data", reason="needs ray[data]")
    server = pytest.importorskip("moto.server", reason="needs moto[s3,server]").ThreadedMotoServer
    import boto3

    from keras_lotr.ray.cluster import start_ray

    server = server(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("REGION", "eu")):
        monkeypatch.setenv(f"AWS_{name}", value)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="faces-test")
    client.upload_file(str(EXAMPLES / "group.jpg"), "faces-test", "photos/more/group.jpg")
    client.put_object(Bucket="faces-test", Key="photos/broken.jpg", Body=b"no image")
    start_ray(1)
    yield "s3://faces-test"
    ray.shutdown()
    server.stop()


def test_from_and_to_a_bucket(bucket, tmp_path):
    from keras_lotr.ray.storage import place_of

    counts = keras_lotr.ray.predict(
        f"{bucket}/photos", "lotr_s_68", f"{bucket}/faces", recursive=True
    )
    assert (counts.images, counts.faces, counts.failed) == (2, 7, 1)
    files, folder = place_of(f"{bucket}/faces")
    (written,) = files.get_file_info(FileSelector(folder))
    table = tmp_path / "faces.parquet"
    table.write_bytes(files.open_input_file(written.path).read())
    found = {entry["source"]: entry["faces"] for entry in read_entries(table)}
    landmarker = keras_lotr.FaceLandmarker("lotr_s_68", engine="onnxruntime", threads=1)
    (expected,) = landmarker.stream([EXAMPLES / "group.jpg"])
    assert found == {f"{bucket}/photos/more/group.jpg": expected.to_dict()["faces"]}
    again = keras_lotr.ray.predict(
        f"{bucket}/photos", "lotr_s_68", f"{bucket}/faces", recursive=True
    )
    assert (again.images, again.done_before) == (0, 2)
