"""`train` with a mixture: one training, several landmark orders, a plain preset for each group."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from keras import ops
from safetensors.numpy import load_file
from tiny import SHALLOW, assert_same_weights, randomize, tiny_lotr, weights_of, write_faces

from keras_lotr import LOTR
from keras_lotr.cli import main
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import LandmarkBatches, load_crops
from keras_lotr.losses import smooth_wing
from keras_lotr.metrics import normalized_mean_error
from keras_lotr.preprocessor import Preprocessor
from keras_lotr.presets.preset import RECIPE, WEIGHTS, resolve
from keras_lotr.publishing import card as cards
from keras_lotr.publishing.publish import prepare
from keras_lotr.training import validation
from keras_lotr.training.checkpoint import CHECKPOINT, HISTORY
from keras_lotr.training.mixture_training import build_mixture, mixture_parts, named_folders
from keras_lotr.training.recipe import Recipe
from keras_lotr.training.training import train

GROUPS = [
    {"name": "people68", "scheme": "ibug68", "data": ["faces"], "share": 3, "weight": 2.0},
    {"name": "people98", "scheme": "wflw98", "data": ["more"], "val_weight": 0.5},
]
RUN = Recipe(
    batch_size=4, epochs=3, samples_per_epoch=16, warmup_steps=1, learning_rate=3e-3, ema=0.5,
    mixture=GROUPS,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("tiny_variant")


def write_98(folder, splits, sets=None):
    """A kit of faces with 98 landmarks: 68, and 30 of them once more, moved a little."""
    write_faces(folder, splits, seed=1)
    labels = json.loads((folder / "labels.json").read_text())
    for i, entry in enumerate(labels):
        points = np.array(entry.pop("points68"))
        entry["points98"] = [*points.tolist(), *(points[:30] + [2.0, -1.0]).tolist()]
        if sets:
            entry["set"] = sets[i]
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    faces = write_faces(folder / "faces", ["train"] * 6 + ["val"] * 3)
    return [faces, write_98(folder / "more", ["train"] * 5 + ["val"] * 2)]


@pytest.fixture(scope="module")
def start_preset(tmp_path_factory):
    """A trained model of 68 landmarks."""
    folder = tmp_path_factory.mktemp("start")
    model = randomize(tiny_lotr(68, **SHALLOW))
    model.preprocessor = Preprocessor("ibug68", 64, 1.3)
    model.save_to_preset(folder)
    return folder


def start(recipe, data, out, **settings):
    return train(recipe, data, out, verbose=0, **settings)


def history_of(out):
    with open(out / HISTORY, newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def whole(data, start_preset, tmp_path_factory, tiny_variant):
    out = tmp_path_factory.mktemp("runs") / "whole"
    start(RUN, data, out, init=start_preset)
    return out


def test_files(whole, start_preset):
    assert sorted(p.name for p in whole.iterdir()) == [CHECKPOINT, HISTORY, "presets", RECIPE]
    assert sorted(p.name for p in (whole / "presets").iterdir()) == ["people68", "people98"]
    # The recipe says what it started from, whose crops it has.
    expected = replace(RUN, init=str(start_preset), image_size=64)
    assert Recipe.load(whole / "presets" / "people98" / RECIPE) == expected


def test_history_has_a_column_for_each_group(whole):
    rows = history_of(whole)
    names = ["epoch", "loss", "val_nme", "val_nme_people68", "val_nme_people98", "learning_rate"]
    assert list(rows[0]) == names
    for row in rows:
        mean = (float(row["val_nme_people68"]) + 0.5 * float(row["val_nme_people98"])) / 1.5
        np.testing.assert_allclose(float(row["val_nme"]), mean, rtol=1e-6)


@pytest.mark.parametrize(("number", "scheme"), [(0, "ibug68"), (1, "wflw98")])
def test_each_preset_is_a_plain_lotr_with_the_best_weights(whole, data, number, scheme):
    name = GROUPS[number]["name"]
    model = LOTR.from_preset(whole / "presets" / name)
    assert model.preprocessor == Preprocessor(scheme, 64, 1.3)
    crops, points = load_crops(read_samples(data[number], "val", scheme), 64, 1.3)
    nme = normalized_mean_error(points, model.predict_points(crops), scheme)
    best = min(history_of(whole), key=lambda row: float(row["val_nme"]))
    measured = float(best[f"val_nme_{name}"])
    np.testing.assert_allclose(np.mean(ops.convert_to_numpy(nme)), measured, rtol=1e-4)


def test_a_preset_of_a_mixture_is_a_recipe_for_ones_own_faces(whole, data, tmp_path):
    preset = whole / "presets" / "people98"
    recipe = Recipe.of_own_faces(preset)
    assert (recipe.mixture, recipe.scheme) == ([], "wflw98")
    assert recipe == replace(Recipe.load(preset), mixture=[], scheme="wflw98")
    folder, out = tmp_path / "a=b", str(tmp_path / "run")
    folder.symlink_to(data[1])  # no name of a data set
    command = ["train", str(preset), "--data", str(folder), "--output", out]
    run = CliRunner().invoke(main, command)
    assert run.exit_code == 0, run.output
    assert LOTR.from_preset(tmp_path / "run" / "preset").preprocessor.scheme == "wflw98"


def test_the_presets_share_all_but_their_landmarks(whole):
    first, second = (load_file(whole / "presets" / g["name"] / WEIGHTS) for g in GROUPS)
    assert first.keys() == second.keys()
    for key in first:
        if not key.startswith("landmark_"):
            np.testing.assert_array_equal(first[key], second[key], err_msg=key)
    assert len(first["landmark_queries/table"]) == 68
    assert len(second["landmark_queries/table"]) == 98


def test_resume_after_an_error(whole, data, start_preset, tmp_path, monkeypatch):
    good = LandmarkBatches.faces

    def stop(batches, index):
        if (out / CHECKPOINT).exists() and index == 2:
            raise RuntimeError("stop here")
        return good(batches, index)

    out = tmp_path / "stopped"
    monkeypatch.setattr(LandmarkBatches, "faces", stop)
    with pytest.raises(Exception, match="stop here"):
        start(RUN, data, out, init=start_preset)
    assert history_of(out) == history_of(whole)[:1]
    monkeypatch.undo()
    start(RUN, data, out, init=start_preset, resume=True)
    assert history_of(out) == history_of(whole)
    for name in (CHECKPOINT, *(f"presets/{g['name']}/{WEIGHTS}" for g in GROUPS)):
        assert_same_weights(load_file(out / name), load_file(whole / name))


def test_workers_change_nothing(whole, data, start_preset, tmp_path):
    start(RUN, data, tmp_path / "run", init=start_preset, workers=2)
    assert history_of(tmp_path / "run") == history_of(whole)


def parts(recipe, data, tmp_path, init=None):
    return mixture_parts(recipe, data, tmp_path, init, None, 1)


def test_batches(data, tmp_path):
    """Shares, labels by groups; the same faces at any time."""
    batches = parts(replace(RUN, batch_size=16), data, tmp_path).batches
    (crops, group), points, weights = batches[0]
    assert crops.shape == (16, 64, 64, 3) and crops.dtype == np.uint8
    assert np.bincount(group).tolist() == [12, 4]
    for number, (name, size) in enumerate({"people68": 68, "people98": 98}.items()):
        own = group == number
        assert points[name].shape == (16, size, 2) and weights[name].shape == (16, size)
        assert points[name].dtype == weights[name].dtype == np.float32
        assert np.isfinite(points[name][own]).all() and np.isnan(points[name][~own]).all()
        np.testing.assert_array_equal(weights[name], np.repeat(own[:, None], size, 1))
    again = parts(replace(RUN, batch_size=16), data, tmp_path).batches
    again.start(3)
    assert (again[0][0][0] != crops).any()
    again.start(0)
    (first, second), truth, _ = again[0]
    np.testing.assert_array_equal(first, crops)
    np.testing.assert_array_equal(second, group)
    np.testing.assert_array_equal(truth["people98"], points["people98"])


def test_gaps_and_doubt_weigh_nothing_and_less(data, start_preset, tmp_path):
    faces = write_faces(tmp_path / "faces", ["train", "val"])
    labels = json.loads((faces / "labels.json").read_text())
    labels[0]["points68"][3] = None
    labels[0]["doubt68"] = [0.0] * 67 + [0.02]
    (faces / "labels.json").write_text(json.dumps(labels))
    batches = parts(RUN, [faces, data[1]], tmp_path, start_preset).batches
    (_, group), points, weights = batches[0]
    assert (group == 0).any()
    for of_face, truth in zip(weights["people68"], points["people68"], strict=True):
        if np.isfinite(truth).any():
            assert sorted(of_face) == [0, 0.5] + [1] * 66
        np.testing.assert_array_equal(np.isnan(truth[:, 0]), of_face == 0)


def test_loss_of_a_group_counts_its_weight(data, tmp_path):
    """The loss of a batch is the weighted mean over faces of the mean over their landmarks."""
    made = parts(replace(RUN, batch_size=8), data, tmp_path)
    made.model.compile("sgd", made.losses, made.loss_weights)
    (crops, group), points, weights = made.batches[0]
    found = made.model.predict_on_batch([crops, group])

    def loss_of(name, i):
        return ops.convert_to_numpy(smooth_wing(points[name][i], found[name][i])).mean()

    of_faces = [
        loss_of("people98", i) if number else 2 * loss_of("people68", i)
        for i, number in enumerate(group)
    ]
    loss = made.model.test_on_batch([crops, group], points, weights)
    np.testing.assert_allclose(np.ravel(loss)[0], np.mean(of_faces), rtol=1e-4)


def test_a_group_may_take_some_sets_of_several_data_sets(data, tmp_path, monkeypatch):
    sets = ["a", "b", "b", "a", "b", "c"]
    third = write_98(tmp_path / "third", ["train"] * 3 + ["val"] * 3, sets)
    group = {**GROUPS[1], "data": ["more", "third"], "only": {"third": ["b"]}}
    group["val_only"] = {"third": ["c"], "more": []}
    recipe = replace(RUN, mixture=[GROUPS[0], group])
    validated = []

    def count(samples, *contract):
        validated.append(len(samples))
        return load_crops(samples, *contract)

    monkeypatch.setattr(validation, "load_crops", count)
    batches = parts(recipe, [*data, third], tmp_path).batches
    assert [len(samples) for samples in batches.faces.groups] == [6, 5, 2]
    np.testing.assert_allclose(batches.faces.shares, [3, 0.5, 0.5])
    assert validated == [3, 1]
    shares = replace(recipe, mixture=[GROUPS[0], {**group, "share": {"more": 3, "third": 0.5}}])
    batches = parts(shares, [*data, third], tmp_path).batches
    np.testing.assert_allclose(batches.faces.shares, [3, 3, 0.5])


def test_groups_start_as_the_nearest_landmarks_or_from_a_preset(data, start_preset, tmp_path):
    trained = LOTR.from_preset(start_preset)
    faces, more = (
        read_samples(d, "train", s) for d, s in zip(data, ("ibug68", "wflw98"), strict=True)
    )
    other = randomize(tiny_lotr(98, **SHALLOW), seed=5)
    other.preprocessor = Preprocessor("wflw98", 64, 1.3)
    other.save_to_preset(tmp_path / "other")
    groups = [*GROUPS, {**GROUPS[1], "name": "own", "tables": str(tmp_path / "other")}]
    groups.append({**GROUPS[0], "name": "rendered68"})
    recipe = replace(RUN, mixture=groups)
    mixture = build_mixture(recipe, [[faces], [more], [more], [faces]], start_preset)
    expected = weights_of(trained)
    assert_same_weights(weights_of(mixture.model_of("people68")), expected)
    assert_same_weights(weights_of(mixture.model_of("rendered68")), expected)
    of_98, own = (weights_of(mixture.model_of(name)) for name in ("people98", "own"))
    key = "landmark_queries/table"
    assert {tuple(row) for row in of_98[key]} <= {tuple(row) for row in expected[key]}
    np.testing.assert_array_equal(own[key], weights_of(other)[key])
    np.testing.assert_array_equal(own["reduce/kernel"], expected["reduce/kernel"])
    np.testing.assert_allclose(mixture.groups[2].mean_shape, other.mean_shape)


def test_a_preset_of_a_group_to_hand_out(whole, tmp_path):
    prepare(whole / "presets" / "people98", tmp_path / "mine")
    shipped = LOTR.from_preset(tmp_path / "mine")
    assert_same_weights(
        weights_of(shipped), weights_of(LOTR.from_preset(whole / "presets" / "people98"))
    )
    assert (tmp_path / "mine" / HISTORY).read_text() == (whole / HISTORY).read_text()
    with pytest.raises(ValueError, match="one preset of a mixture, .* are people68, people98"):
        prepare(whole, tmp_path / "other")


def test_the_card_tells_of_all_groups(whole):
    text = "\n".join(cards._recipe("mine", resolve(whole / "presets" / "people98")))
    assert "keras-lotr train mine --data faces=FOLDER --data more=FOLDER\n" in text
    assert "a preset for each of people68, people98" in text


# === Bad input: one sentence ===
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shares": 1}, r"Expected the keys \['name', 'scheme', 'data'\].*unknown \['shares'\]"),
        ({"scheme": "ibug69"}, "Expected a landmark scheme"),
        ({"name": "a/b"}, "Expected a name of a group that can be a folder's"),
        ({"name": ".."}, "Expected a name of a group that can be a folder's"),
        ({"data": "faces"}, "Expected a list of names of data sets in group people68"),
        ({"weight": float("nan")}, "Expected a finite weight above 0 in group people68"),
        ({"share": 0}, "Expected a finite share above 0"),
        ({"share": "much"}, "Expected a finite share above 0"),
        ({"share": {"faces": 0}}, "Expected a finite share above 0"),
        ({"share": {"hard": 1}}, r"a share of each of the data sets \['faces'\].*{'hard': 1}"),
        ({"val_weight": -1}, "Expected a finite val_weight of at least 0"),
        ({"only": {"hard": ["a"]}}, r"to name its data sets \['faces'\].*\['hard'\]"),
        ({"only": ["a"]}, "as lists of sets by names of data sets"),
        ({"normalizer": "nose"}, "Expected a normalizer, one of"),
        ({"name": "people98"}, "groups of different names"),
    ],
)
def test_bad_group(change, message):
    with pytest.raises(ValueError, match=message):
        replace(RUN, mixture=[{**GROUPS[0], **change}, GROUPS[1]])


def test_groups_of_which_none_decides():
    with pytest.raises(ValueError, match="Expected a val_weight above 0 in at least one group"):
        replace(RUN, mixture=[{**GROUPS[0], "val_weight": 0}])


def test_names_of_data_sets(tmp_path):
    groups = RUN.groups
    assert named_folders(["x/faces", "more=/y"], groups) == {"faces": "x/faces", "more": "/y"}
    with pytest.raises(ValueError, match="Group people98 .* takes the data set more, .* --data"):
        named_folders(["faces"], groups)
    with pytest.raises(ValueError, match="No group of the mixture takes the data set z"):
        named_folders(["faces", "more", "z"], groups)
    with pytest.raises(ValueError, match="data sets of different names.* --data NAME=b/faces"):
        named_folders(["a/faces", "b/faces", "more"], groups)


def test_a_group_without_faces_to_validate_with(tmp_path):
    faces = write_faces(tmp_path / "faces", ["train"] * 3)
    recipe = replace(RUN, mixture=GROUPS[:1])
    with pytest.raises(ValueError, match="Expected faces to validate group people68 with"):
        parts(recipe, [faces], tmp_path)
    recipe = replace(RUN, mixture=[{**GROUPS[0], "only": {"faces": ["helen"]}}])
    with pytest.raises(ValueError, match="It has none of the sets helen"):
        parts(recipe, [faces], tmp_path)
    recipe = replace(RUN, mixture=GROUPS[:1])
    with pytest.raises(ValueError, match="Expected faces to train group people68 with"):
        parts(recipe, [write_faces(tmp_path / "b" / "faces", ["val"])], tmp_path)
    recipe = replace(RUN, mixture=[{**GROUPS[0], "scheme": "wflw98"}])
    with pytest.raises(ValueError, match="Expected faces with wflw98 landmarks for group people68"):
        parts(recipe, [faces], tmp_path)
