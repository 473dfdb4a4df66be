"""Model cards: what they say is what the files say, and the Hub takes them."""

import re
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import yaml
from tiny import MEASURED, randomize, tiny_lotr

from keras_lotr.detector_training.network import DetectorNetwork
from keras_lotr.presets.files import DETECTOR
from keras_lotr.presets.preset import METADATA, RECIPE, RESULTS, resolve, shipped_folder, write_json
from keras_lotr.publishing import card_pictures
from keras_lotr.publishing.card import MARK, card, results_table
from keras_lotr.publishing.card_checks import read_results
from keras_lotr.publishing.card_metadata import NOT_STATED, WRITTEN, complete_facts, untrained_model
from keras_lotr.publishing.publish import write_card

EXAMPLES = Path(__file__).parents[1] / "examples"
FACTS = dict.fromkeys(WRITTEN, "something") | {"licence": "CC0-1.0"}


@pytest.fixture
def folder(tmp_path):
    randomize(tiny_lotr(68)).save_to_preset(tmp_path / "tiny")
    write_json(tmp_path / "tiny" / METADATA, FACTS)
    write_json(tmp_path / "tiny" / RESULTS, MEASURED)
    return tmp_path / "tiny"


def parts_of(text):
    """The metadata and the text of a card."""
    _, metadata, body = text.split("---\n", 2)
    return yaml.safe_load(metadata), body


def test_metadata(folder):
    data, _ = parts_of(write_card(folder).read_text())
    assert data["license"] == "cc0-1.0"
    assert data["library_name"] == "keras-lotr"
    assert data["pipeline_tag"] == "keypoint-detection"
    assert {"keras", "face-landmarks", "ibug68", "68-landmarks"} <= set(data["tags"])
    assert data["metrics"] == ["nme", "failure-rate", "auc"]


def test_every_measured_number_is_in_the_model_index(folder):
    (model,) = parts_of(write_card(folder).read_text())[0]["model-index"]
    found = {
        (result["dataset"]["config"], metric["name"]): metric["value"]
        for result in model["results"]
        for metric in result["metrics"]
    }
    expected = {
        "NME by outer eyes": 3.25,
        "failure rate at 8 %": 0,
        "failure rate at 10 %": 5,
        "area under the CED up to 8 %": 59.375,
        "area under the CED up to 10 %": 67.5,
    }
    expected = {(subset, k): v for subset in ("all", "dark") for k, v in expected.items()}
    expected["all", "NME of eyes"] = 2.5
    assert found == {(s, f"{name}, in per cent"): v for (s, name), v in expected.items()}


def test_sections(folder):
    body = parts_of(write_card(folder).read_text())[1]
    assert re.findall("^## (.*)", body, re.MULTILINE) == [
        *("Use", "Input and output", "Size and speed", "Results"),
        *("Training data, and what it allows", "Limits", "Citation"),
    ]
    assert body.startswith(MARK)
    for words in ('from_preset("tiny")', '"jax"', "(68, 2)", "(B, 64, 64, 3)", "scheme.png"):
        assert words in body
    assert "samples.jpg" not in body


def test_facts_that_nobody_wrote(folder):
    write_json(folder / METADATA, {"title": "Mine"})
    files = resolve(folder)
    model = untrained_model(files)
    facts = complete_facts(files, model, strict=False)
    data, body = parts_of(card("hf://me/tiny", files, facts, model, ()))
    assert data["license"] == "unknown"
    assert f"Trained on: {NOT_STATED}" in body
    assert 'from_preset("hf://me/tiny")' in body
    assert body.startswith(f"{MARK}\n\n# tiny\n\nMine\n")


@pytest.mark.parametrize(
    ("filename", "content", "sentence"),
    [
        (METADATA, [], "Expected an object, .* in metadata.json of tiny"),
        (METADATA, FACTS | {"title": 5}, "Expected text for title in metadata.json of tiny"),
        (METADATA, FACTS | {"licence": None}, "Expected text for licence in metadata.json"),
        (METADATA, FACTS | {"datasets": 5}, "Expected text for datasets in metadata.json"),
        (RESULTS, [], "Expected results of `keras-lotr evaluate --output` in results.json of tiny"),
        (RESULTS, {"recall": 1}, "Expected results of `keras-lotr evaluate --output`"),
        (RECIPE, [], "Expected an object, .* in recipe.json of tiny"),
        (RECIPE, {"notes": 5}, "Expected the form of a recipe for notes in recipe.json of tiny"),
        (RECIPE, {"init": ["x"], "mixture": {}}, "a recipe for init in recipe.json"),
        (RECIPE, {"mixture": "x"}, "a recipe for mixture in recipe.json"),
        (RECIPE, {"mixture": [{"name": "x", "data": 5}]}, "a recipe for mixture in recipe.json"),
        (RESULTS, MEASURED | {"subsets": []}, r"results.json of tiny. It lacks \['subsets'\]"),
        (RESULTS, MEASURED | {"regions": {"eyes": "x"}}, r"It lacks \['regions'\]"),
        (RESULTS, MEASURED | {"flip": 1, "nme": "3"}, r"It lacks \['flip', 'nme'\]"),
    ],
)
def test_files_that_were_written_wrongly(folder, filename, content, sentence):
    files = resolve(folder)
    model = untrained_model(files)
    write_json(folder / filename, content)
    files = replace(files, name="tiny")
    with pytest.raises(ValueError, match=sentence):
        card("tiny", files, complete_facts(files, model), model, ())


def shipped_names():
    for card_file in sorted(shipped_folder().glob("*/README.md")):
        name = card_file.parent.name
        slow = (pytest.mark.slow,) if name == "lotr_hr_plus_wflw" else ()  # HRNet is large
        yield pytest.param(name, marks=slow)


def validate(text):
    """Ask the test's Hub whether it takes a card; one address of older packages is fixed."""
    if int(huggingface_hub.__version__.split(".")[0]) < 2:
        pytest.skip("huggingface_hub before 2.0 asks huggingface.co, wherever the Hub is")
    huggingface_hub.ModelCard(text).validate()


@pytest.mark.parametrize("name", list(shipped_names()))
def test_shipped_cards_are_those_of_the_files_and_pass_the_hubs_validation(name, hub):
    files = resolve(shipped_folder() / name)
    text = files.path("README.md").read_text(encoding="utf-8")
    model = untrained_model(files)
    facts = complete_facts(files, model)
    assert facts == files.json(METADATA)
    there = {path.name for path in files.folder.iterdir()}
    assert text == card(name, files, facts, model, there)
    validate(text)
    assert ("POST", "/api/validate-yaml") in hub.requests


def test_the_hub_refuses_a_bad_card(hub):
    with pytest.raises(ValueError, match="license_name"):
        validate("---\nlicense: other\nlicense_name: my own\n---\n")


def test_card_of_a_face_detector(tmp_path):
    DetectorNetwork(widths=(4, 4, 4, 4, 4), depths=(0, 0, 0, 0), pyramid_width=4).save_to_preset(
        tmp_path
    )
    write_json(tmp_path / METADATA, FACTS)
    measured = {
        "photos": 9,
        "confident_faces": 20,
        "recall": 90.0,
        "false_faces_per_photo": {"embedded": 0.1, "yunet": 0.0},
        "median_point_distance": {"embedded": 2.5, "yunet mirrored": 2.1},
        "milliseconds": {"640x480": {"embedded": 15.0, "yunet": 20.0}, "threads": 1},
    }
    write_json(tmp_path / RESULTS, measured)
    data, body = parts_of(write_card(tmp_path).read_text())
    assert data["pipeline_tag"] == "object-detection"
    assert "FaceDetector.from_preset" in body
    assert "of the 20 faces of at least 24 pixels that YuNet is sure of (score 0.8): 90.0 %" in body
    assert "2.5 % of the box (of YuNet's own in the mirrored photo: 2.1 %)" in body
    assert "640x480 pixels, one thread: 15.0 ms (YuNet 20.0)" in body
    assert "Citation" not in body


@pytest.mark.parametrize(
    ("results", "missing"),
    [
        ([], "confident_faces"),
        ({"recall": 1}, "confident_faces"),
        (MEASURED, "confident_faces"),
        ({"recall": "high"}, "recall"),
        ({"milliseconds": {"640x480": {}}}, "milliseconds"),
        ({"landmarks": {"faces": 1}}, "landmarks"),
    ],
)
def test_results_of_a_face_detector_of_another_kind(results, missing, tmp_path):
    write_json(tmp_path / "config.json", {"registered_name": DETECTOR})
    write_json(tmp_path / RESULTS, results)
    with pytest.raises(ValueError, match=f"Expected results of `benchmarks.* lacks .*{missing}"):
        read_results(resolve(tmp_path))


def test_pictures(folder):
    write_card(folder, EXAMPLES)
    assert (folder / "scheme.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "samples.jpg").read_bytes().startswith(b"\xff\xd8")
    assert "](samples.jpg)" in (folder / "README.md").read_text()


def test_examples_without_rendered_faces(folder, tmp_path):
    (tmp_path / "boxes.json").write_text("{}")
    with pytest.raises(ValueError, match=r"Expected images rendered\*"):
        card_pictures.samples_picture(folder, tmp_path)


def test_results_table_has_a_row_for_each_subset():
    rows = [row for row in results_table(MEASURED) if row.startswith("|")]
    assert len(rows) == 4
    assert {row.count("|") for row in rows} == {8}


def test_results_table_says_how_sure_an_nme_is():
    new = {**MEASURED, "nme_error": 0.07, "nme_of_halves": [3.5, 3.6]}
    old, *lines = list(results_table(MEASURED)), *results_table(new)
    assert any(" ± 0.07 |" in line for line in lines) and not any("±" in line for line in old)
    assert lines[-1] == "Two halves of the faces, every other one, have 3.50 and 3.60."


def test_card_says_that_labels_were_converted(folder):
    assert "labels of" not in write_card(folder).read_text()
    write_json(folder / RESULTS, {**MEASURED, "converted_from": "wflw98"})
    (folder / "README.md").unlink()
    assert "split val), labels of wflw98, ground-truth boxes" in write_card(folder).read_text()
