"""The documents say what the files say."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["README.md", "MODEL_CARD.md", "docs/training.md"])
def test_tables_are_those_of_the_files(name):
    tables = load(ROOT / "tools" / "make_tables.py")
    assert name in tables.PAGES
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == tables.fill(text, tables.tables())


def test_speeds_are_those_measured():
    told = list(load(ROOT / "tools" / "make_tables.py").speeds())
    assert ROOT / "presets" / "lotr_m_300w" in [folder for folder, _ in told]
    for folder, facts in told:
        assert facts == json.loads((folder / "metadata.json").read_text(encoding="utf-8"))


PAGES = ["README.md", "ARCHITECTURE.md", "MODEL_CARD.md", "docs/hub.md", "docs/training.md"]


@pytest.mark.parametrize("name", [*PAGES, "docs/fine_tuning.md", "examples/README.md"])
def test_linked_files_are_there(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert not [link for link in links if not ((ROOT / name).parent / link).exists()]


def test_architecture_names_every_module():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    modules = [p.stem for p in (ROOT / "keras_lotr").glob("*.py") if p.stem != "__init__"]
    assert not [name for name in modules if name not in text]


def test_numbers_of_the_rendered_faces_are_those_of_the_shipped_preset():
    """If not: run the command that README.md names, then tools/make_tables.py."""
    pytest.importorskip("onnxruntime")
    from keras_lotr.evaluation.evaluation import evaluate

    told = json.loads((ROOT / "results" / "rendered_faces.json").read_text(encoding="utf-8"))
    network = ROOT / "presets" / told["preset"] / "model.onnx"
    measured, _ = evaluate(network, ROOT / "examples" / told["data"], told["split"])
    assert measured["nme"] == pytest.approx(told["nme"], abs=0.02)


def test_list_of_the_photos_of_a_split(tmp_path, capsys):
    script = load(ROOT / "tools" / "list_split.py")
    labels = [
        {"image": "2.jpg", "set": "helen", "source": "x:helen/b_1.jpg", "split": "val"},
        {"image": "1.jpg", "set": "afw", "source": "x:afw/c.jpg", "split": "val"},
        {"image": "0.jpg", "set": "afw", "source": "x:afw/a.jpg", "split": "train"},
    ]
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    script.main(tmp_path, "val")
    assert capsys.readouterr().out == "afw c.jpg\nhelen b_1.jpg\n"
    del labels[0]["source"]
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    with pytest.raises(ValueError, match="Expected set and source of 2.jpg"):
        script.photos(tmp_path, "val")


def test_list_of_the_val_photos_is_that_of_the_results(shared):
    script = load(ROOT / "tools" / "list_split.py")
    lines = (ROOT / "docs" / "300w_val.txt").read_text().splitlines()
    assert lines == script.photos(shared / "data" / "faces", "val")
    results = json.loads((ROOT / "presets" / "lotr_m_300w" / "results.json").read_text())
    assert len(lines) == results["faces"]
