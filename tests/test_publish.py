"""From a run to a preset folder, its card, and the list of presets."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tiny import MEASURED, random_crops, randomize, tiny_lotr

from keras_lotr import LOTR
from keras_lotr.cli import main
from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.presets.preset import METADATA, RESULTS, WEIGHTS, write_json
from keras_lotr.presets.table import preset_table
from keras_lotr.publishing.publish import prepare, publication, write_card

FACTS = {
    "title": "A tiny one.",
    "trained_on": "drawn faces",
    "data_licence": "CC0.",
    "licence": "Apache-2.0",
    "limits": "All.",
}


@pytest.fixture
def run(tmp_path):
    """What `train` leaves behind, as far as `prepare` reads it."""
    folder = tmp_path / "run"
    randomize(tiny_lotr(68)).save_to_preset(folder / "preset")
    (folder / "preset" / "recipe.json").write_text("{}")
    (folder / "history.csv").write_text("epoch,loss\n1,2\n")
    return folder


def test_prepare_and_card(run, tmp_path):
    folder = tmp_path / "shipped"
    prepare(run, folder, "float16")
    assert (folder / "history.csv").exists()
    crops = random_crops(2)
    np.testing.assert_allclose(
        OnnxModel.from_preset(folder).predict_points(crops),
        LOTR.from_preset(folder).predict_points(crops),
        atol=1e-3,
    )
    assert (folder / WEIGHTS).stat().st_size < (run / "preset" / WEIGHTS).stat().st_size
    write_json(folder / METADATA, FACTS)
    write_json(folder / RESULTS, MEASURED)
    card = write_card(folder).read_text()
    assert card.startswith("---\n")
    assert "\nlicense: apache-2.0\n" in card
    assert "| dark | 2 | 3.25 | 0.00 | 5.00 | 59.38 | 67.50 |" in card
    facts = json.loads((folder / METADATA).read_text())
    assert facts["parameters"] == LOTR.from_preset(folder).count_params()
    assert facts["weights_sha256"] == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    assert facts["nme"] == 3.25
    assert facts["trained"]


def test_a_preset_that_cannot_be_finished_leaves_the_one_that_was_there(run, tmp_path):
    folder = tmp_path / "shipped"
    prepare(run, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    randomize(tiny_lotr(68), seed=1).save_to_preset(run / "preset")
    noise = tmp_path / "noise.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(noise)
    with pytest.raises(ValueError, match="Expected images with faces"):
        prepare(run, folder, calibration=[str(noise)])
    (run / "preset" / "recipe.json").unlink()
    with pytest.raises(FileNotFoundError):
        prepare(run, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_weights_too_large_for_16_bits(run, tmp_path):
    prepare(str(run), str(tmp_path / "shipped"))
    before = (tmp_path / "shipped" / WEIGHTS).read_bytes()
    model = LOTR.from_preset(run / "preset")
    model.get_layer("reduce").bias.assign(np.full(16, 1e5))
    model.save_to_preset(run / "preset")
    words = ["package-preset", str(run), str(tmp_path / "shipped"), "--float16"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and "Expected finite weights. reduce/bias" in done.output
    assert (tmp_path / "shipped" / WEIGHTS).read_bytes() == before


def test_the_preset_in_a_run_is_as_good_as_the_run(run, tmp_path, monkeypatch):
    monkeypatch.chdir(run)
    prepare(Path("preset"), tmp_path / "shipped")
    assert (tmp_path / "shipped" / "history.csv").exists()


def test_nothing_but_the_answer_is_seen(run, tmp_path):
    """Keras imports TensorFlow to save a preset, whatever the backend."""
    words = [sys.executable, "-m", "keras_lotr", "package-preset", run, tmp_path / "shipped"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, env=environment)
    assert (done.stdout, done.stderr) == (f"Wrote {tmp_path / 'shipped'}\n", "")


def test_a_preset_without_its_training(run, tmp_path):
    (run / "history.csv").unlink()
    done = CliRunner().invoke(main, ["package-preset", str(run / "preset"), str(tmp_path / "out")])
    assert done.exit_code == 2 and "There is no history.csv above" in done.output
    assert not (tmp_path / "out").exists()


def test_card_of_untrained_says_so(tmp_path):
    tiny_lotr(68).save_to_preset(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    write_json(tmp_path / METADATA, FACTS)
    assert "Nobody has trained these weights yet" in write_card(tmp_path).read_text()
    assert not json.loads((tmp_path / METADATA).read_text())["trained"]


def test_card_needs_the_facts(tmp_path):
    tiny_lotr(68).save_to_preset(tmp_path)
    write_json(tmp_path / METADATA, {"title": "x"})
    with pytest.raises(ValueError, match="only a person can write"):
        write_card(tmp_path)


def test_card_of_the_folder_in_which_one_is(tmp_path, monkeypatch):
    randomize(tiny_lotr(68)).save_to_preset(tmp_path / "mine")
    write_json(tmp_path / "mine" / METADATA, FACTS)
    monkeypatch.chdir(tmp_path / "mine")
    assert 'from_preset("mine")' in write_card(Path(".")).read_text()


def test_a_card_of_ones_own_is_not_replaced(tmp_path):
    randomize(tiny_lotr(68)).save_to_preset(tmp_path)
    write_json(tmp_path / METADATA, FACTS)
    write_card(tmp_path)
    write_card(tmp_path)  # its own card
    (tmp_path / "README.md").write_text("# Mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = CliRunner().invoke(main, ["model-card", str(tmp_path)])
    assert done.exit_code == 2 and "which is your own" in done.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_card_that_is_no_utf_8(tmp_path):
    randomize(tiny_lotr(68)).save_to_preset(tmp_path)
    write_json(tmp_path / METADATA, FACTS)
    (tmp_path / "README.md").write_bytes("# Gesichtszüge".encode("latin-1"))
    with pytest.raises(ValueError, match=r"Expected .*README.md in UTF-8, as the Hub does"):
        write_card(tmp_path)
    sentence = pytest.raises(ValueError, match=r"Expected .*README.md in UTF-8, as the Hub does")
    with sentence, publication(tmp_path, "hf://me/mine"):
        pass


def test_table_lists_shipped_presets():
    run = CliRunner().invoke(main, ["presets"])
    assert run.exit_code == 0
    names = [line.split()[0] for line in run.output.splitlines()[1:]]
    paper = {"lotr_m_jd", "lotr_m_plus_jd", "lotr_r_plus_jd", "lotr_hr_plus_wflw"}
    assert paper | {"lotr_m_68"} <= set(names)
    assert run.output.strip() == preset_table().strip()


def test_paper_presets_are_the_variants_of_table_1():
    for name, count, size in (("lotr_m_jd", 106, 192), ("lotr_m_plus_jd", 106, 192)):
        model = LOTR.from_preset(name, load_weights=False)
        assert model.output_shape == (None, count, 2)
        assert model.image_size == size
        with pytest.raises(ValueError, match=f"{name}.*no trained weights.*keras-lotr train"):
            LOTR.from_preset(name)


def test_shipped_weights_are_those_of_the_card(tmp_path):
    from keras_lotr.presets.preset import shipped_folder

    folder = shipped_folder() / "lotr_m_68"
    facts = json.loads((folder / METADATA).read_text())
    assert facts["weights_sha256"] == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    results = json.loads((folder / RESULTS).read_text())
    assert facts["nme"] == results["nme"]
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    assert write_card(copy).read_text() == (folder / "README.md").read_text()
