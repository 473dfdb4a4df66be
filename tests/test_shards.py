"""Shards: the faces of the data set that they were written from, and nothing else."""

import errno
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from device_runs import RUN, Stop, faces, history_of
from safetensors.numpy import load_file
from tiny import assert_same_weights

from keras_lotr.cli import main
from keras_lotr.datasets import NoFaces, read_samples, shard_writing
from keras_lotr.datasets.augmentation import Augmentation
from keras_lotr.datasets.batches import LandmarkBatches
from keras_lotr.datasets.shard_writing import write_shards
from keras_lotr.datasets.shards import FACTS, INDEX, POINTS, TAR, ShardedFaces, TarMember
from keras_lotr.training.mixture_training import mixture_parts
from keras_lotr.training.run_files import CHECKPOINT
from keras_lotr.training.training import train

pytestmark = pytest.mark.once
RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """Faces with gaps, tags, weights, visibility, two of them in one image, one of no split."""
    folder = faces(tmp_path_factory.mktemp("kit") / "kit")
    labels = json.loads((folder / "labels.json").read_text())
    labels[0] |= {"set": "afw", "tags": ["blur"], "doubt68": [0.02] * 68}
    labels[1] |= {"set": "afw", "seen68": [1, 0, -1, None] * 17}
    labels[2] |= {"image": labels[1]["image"]}
    del labels[3]["split"]
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


@pytest.fixture(scope="module")
def written(kit, tmp_path_factory):
    """The kit as shards of about two images each."""
    folder = tmp_path_factory.mktemp("shards") / "shards"
    write_shards(kit, folder, tar_bytes=60_000)
    return folder


@pytest.fixture
def shards(kit, tmp_path):
    """The same, to be damaged."""
    write_shards(kit, tmp_path / "shards", tar_bytes=60_000)
    return tmp_path / "shards"


def assert_same_faces(sharded, samples):
    assert len(sharded) == len(samples)
    names = {}
    for one, other in zip(sharded, samples, strict=True):
        for name in ("points_image", "box", "label_weights"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype
        for name in ("weights", "visibility"):
            assert (getattr(one, name) is None) == (getattr(other, name) is None)
            if getattr(one, name) is not None:
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        for name in ("scheme", "tags", "converted_from"):
            assert getattr(one, name) == getattr(other, name)
        assert one.content() == other.content()
        np.testing.assert_array_equal(one.image(), other.image())
        assert names.setdefault(other.path, one.path) == one.path
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("split", ["train", "val"])
def test_faces_are_those_of_the_folder(kit, written, split):
    sharded, samples = (read_samples(folder, split) for folder in (written, kit))
    assert isinstance(sharded, ShardedFaces) and len(sharded) == {"train": 9, "val": 6}[split]
    assert_same_faces(sharded, samples)
    assert_same_faces(sharded[1:4], samples[1:4])
    assert_same_faces(sharded[np.array([4, 2])], [samples[4], samples[2]])
    assert list(sharded.paths()) == [sample.path for sample in sharded]


def test_a_split_without_faces(kit, written):
    for folder in (kit, written):
        assert len(read_samples(folder, "test")) == 1  # of no split
    with pytest.raises(NoFaces):
        read_samples(written, "val", only=["afw"])


def test_a_data_set_without_splits_serves_any(tmp_path, kit):
    labels = json.loads((kit / "labels.json").read_text())
    plain = [{k: v for k, v in entry.items() if k != "split"} for entry in labels]
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "images").symlink_to(kit / "images")
    (folder / "labels.json").write_text(json.dumps(plain))
    assert write_shards(folder, tmp_path / "shards")["faces"] == 14
    for split in ("train", "val", "test"):
        assert_same_faces(read_samples(tmp_path / "shards", split), read_samples(folder, split))


def test_tags_and_other_schemes(kit, written, tmp_path):
    for only in (["afw"], ["blur"], ["afw", "blur"]):
        chosen = [read_samples(folder, "train", only=only) for folder in (written, kit)]
        assert_same_faces(*chosen)
    faces = ShardedFaces(written)
    assert faces[3] in faces and faces.index(faces[3]) == 3 and faces.count(faces[3]) == 1
    for tags in ("afw", iter(["afw"])):
        assert faces.with_tags(tags).rows.tolist() == faces.with_tags(["afw"]).rows.tolist()
    write_shards(RENDERED, tmp_path / "rendered", "wflw98")
    write_shards(RENDERED, tmp_path / "converted", "jd106")
    for folder, scheme in (("rendered", "wflw98"), ("converted", "jd106")):
        samples = read_samples(RENDERED, "val", scheme)
        assert_same_faces(read_samples(tmp_path / folder, "val", scheme), samples)
    found = read_samples(tmp_path / "converted", "val", "ibug68")
    assert found[0].converted_from == "jd106" and found[0].image().shape == (160, 160, 3)


def test_batches_are_those_of_the_folder(kit, written):
    plain, sharded = (
        LandmarkBatches(
            [read_samples(folder, "train"), read_samples(folder, "val")],
            64, 1.3, Augmentation(), 4, seed=2,
        )
        for folder in (kit, written)
    )  # fmt: skip
    assert sharded.weighted and len(plain) == len(sharded) == 4
    for _ in range(2):
        for i in range(4):
            for one, other in zip(plain[i], sharded[i], strict=True):
                np.testing.assert_array_equal(one, other)
        plain.on_epoch_end()
        sharded.on_epoch_end()
    train_faces = read_samples(written, "train")
    whole = [s.weights is None and bool(s.labelled.all()) for s in train_faces]
    assert [train_faces[i : i + 1].weighted for i in range(9)] == [not is_one for is_one in whole]


def test_nothing_is_read_before_it_is_needed(written, monkeypatch):
    read = []
    monkeypatch.setattr(TarMember, "read", lambda member: read.append(member.start) or b"")
    sharded = read_samples(written, "train")
    assert isinstance(sharded.table, np.memmap) and isinstance(sharded.points, np.memmap)
    assert sharded[2].points_image.shape == (68, 2) and not read
    sharded[2].content()
    assert len(read) == 1


def test_training_and_resume_are_those_of_the_folder(kit, written, tmp_path, tiny_variant):
    for folder, out in ((kit, "kit"), (written, "shards")):
        train(RUN, [folder], tmp_path / out, verbose=0)
    train(RUN, [written], tmp_path / "begun", verbose=0, callbacks=[Stop()])
    train(RUN, [written], tmp_path / "begun", verbose=0, resume=True)
    for out in ("shards", "begun"):
        assert history_of(tmp_path / out) == history_of(tmp_path / "kit")
        saved = [load_file(tmp_path / run / CHECKPOINT) for run in (out, "kit")]
        assert_same_weights(*saved)


def test_a_mixture_is_that_of_the_folders_and_leaves_faces_on_the_disk(
    kit, written, tmp_path, tiny_variant
):
    group = {"name": "people", "scheme": "ibug68", "data": ["faces"]}
    recipe = replace(RUN, mixture=[group, {**group, "name": "others"}])
    for folder, out in ((kit, "kit"), (written, "shards")):
        train(recipe, [f"faces={folder}"], tmp_path / out, verbose=0)
    assert history_of(tmp_path / "shards") == history_of(tmp_path / "kit")
    parts = mixture_parts(recipe, [f"faces={written}"], tmp_path / "unused", None, None, 1)
    assert [type(samples) for samples in parts.batches.faces.groups] == [ShardedFaces] * 2


def test_a_tenth_is_held_out_as_of_the_folder(written, kit):
    from keras_lotr.training.training import _read

    (sharded, held_out), (samples, expected) = (
        _read([folder], "ibug68", None, ["afw"]) for folder in (written, kit)
    )
    assert_same_faces(sharded[0], samples[0])
    assert_same_faces(held_out, expected)


# === The files ===
def test_files(written, kit):
    facts = json.loads((written / FACTS).read_text())
    assert (facts["faces"], facts["images"], facts["scheme"]) == (16, 13, "ibug68")
    assert facts["optional"] == ["weights", "visibility"] and len(facts["tars"]) == 7
    with tarfile.open(written / TAR.format(0)) as tar:
        assert tar.getnames() == ["000000000.png", "000000001.png"]
        assert tar.extractfile("000000000.png").read() == (kit / "images" / "0.png").read_bytes()


def flip_a_byte(folder):
    path = folder / TAR.format(1)
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)


def cut(folder):
    path = folder / TAR.format(1)
    path.write_bytes(path.read_bytes()[:-512])


def remove(name):
    return lambda folder: (folder / name).unlink()


def fewer_rows(folder):
    np.save(folder / INDEX, np.load(folder / INDEX)[:-1])


def other_columns(folder):
    np.save(folder / INDEX, np.zeros(16))


def another_tar(folder):
    index = np.load(folder / INDEX)
    index["tar"][3] = 99
    np.save(folder / INDEX, index)


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (flip_a_byte, "images-00001.tar as index.npy says. The shard is damaged"),
        (cut, "bytes in the shard"),
        (remove(TAR.format(2)), "lacks its shard"),
        (remove(FACTS), "have no shards.json, which is written last: write them again"),
        (remove(POINTS), "lacks"),
        (fewer_rows, "Expected 16 faces in"),
        (other_columns, "index.npy as `keras-lotr shard` writes it"),
        (another_tar, "index.npy as `keras-lotr shard` writes it"),
        (write(INDEX, "no table"), "Expected a table of `keras-lotr shard` in"),
        (write(FACTS, "[]"), "shards.json as `keras-lotr shard` writes it"),
        (write(FACTS, '{"tars": [{}]}'), "shards.json as `keras-lotr shard` writes it: KeyError"),
        (write(FACTS, "{"), "Expected JSON in"),
    ],
)
def test_damage_is_told_in_a_sentence(damage, sentence, shards, tmp_path, tiny_variant):
    damage(shards)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"batch_size": 4, "epochs": 1, "variant": "lotr_m"}))
    arguments = ["train", recipe, "--data", shards, "--out", tmp_path / "run"]
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 2, done.output
    assert sentence in done.output
    assert "Traceback" not in done.output


def test_the_command(kit, tmp_path):
    arguments = ["shard", "--data", kit, "--output", tmp_path / "new"]
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0
    assert done.output == f"16 faces (ibug68) in 13 images: 1 tar files in {tmp_path / 'new'}\n"
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 2 and "Expected a new or empty folder" in done.output


@pytest.mark.parametrize("tar_bytes", [0, -1, 0.5])
def test_a_size_of_tars_that_holds_no_image(tar_bytes, kit, tmp_path):
    """With 0, empty tars were written for ever."""
    with pytest.raises(ValueError, match="Expected tar_bytes as a whole number from 1"):
        write_shards(kit, tmp_path / "shards", tar_bytes=tar_bytes)
    assert not (tmp_path / "shards").exists()


def test_a_full_disk(kit, tmp_path, monkeypatch):
    def full(*arguments, **settings):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shard_writing.np, "save", full)
    with pytest.raises(OSError, match="shards cannot be written: No space left on device"):
        write_shards(kit, tmp_path / "shards")
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError, match="no shards.json, which is written last"):
        read_samples(tmp_path / "shards")
