"""The documents say what the files say."""

import importlib
import json
import re
from pathlib import Path

import pytest
from loading import load
from shared_data import FACES, needs

import keras_lotr

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))


TABLES = load(ROOT / "tools" / "make_tables.py")


@pytest.fixture(scope="module")
def tables():
    return TABLES.tables()


@pytest.mark.parametrize("name", TABLES.PAGES)
def test_tables_are_those_of_the_files(name, tables):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert any(f"<!-- {table} -->" in text for table in tables)
    assert text == TABLES.fill(text, tables)


def test_every_table_is_on_a_page_that_is_filled(tables):
    filled = "".join((ROOT / name).read_text(encoding="utf-8") for name in TABLES.PAGES)
    assert not [table for table in tables if f"<!-- {table} -->" not in filled]


def test_one_table_of_the_presets(tmp_path, monkeypatch):
    """A dash where nothing is measured; the hard faces come from a file that may be missing."""
    rows = {row.split(" | ")[0][2:]: row.split(" | ") for row in TABLES.summary()}
    measured = json.loads((ROOT / "presets/lotr_m_68/results.json").read_text(encoding="utf-8"))
    assert rows["lotr_m_68"][1:5] == ["68", "3.1 M", f"{measured['nme']:.2f} ± 0.07 %", "-"]
    assert rows["lotr_m_synthetic_106"][3] == "-"  # measured on other faces
    assert "face_detector" not in rows and "lotr_m_jd" not in rows
    hard = tmp_path / "hard_faces.json"
    monkeypatch.setattr(TABLES, "HARD", hard)
    assert all(row.split(" | ")[4] == "-" for row in list(TABLES.summary())[2:])
    rows = [
        {
            "set": "wflw",
            "normalizer": "outer_eyes",
            "boxes": boxes,
            "faces": 3,
            "nme": nme,
            "nme_error": 0.123,
            "fr10": 9,
        }
        for boxes, nme in (("detector", 7.1), ("ground-truth", 6.449))
    ]
    hard.write_text(json.dumps({"lotr_m_98": rows}))
    assert list(TABLES.hard_faces())[2] == (
        "| lotr_m_98 | wflw | outer_eyes | detector | 3 | 7.10 ± 0.12 % | 9.0 % |"
    )
    row = next(row for row in TABLES.summary() if row.startswith("| lotr_m_98 |"))
    assert row.split(" | ")[4] == "6.45 ± 0.12 %"


def test_hard_faces_are_measured_in_their_own_landmark_order(tmp_path, monkeypatch):
    script = load(ROOT / "benchmarks" / "hard_faces.py")
    results = {"nme": 6.5, "nme_error": 0.2, "failure_rate": {"10": 12.0}, "faces": 3}
    measured = []
    monkeypatch.setattr(script, "OUTPUT", tmp_path / "hard.json")

    def evaluate(name, data, split, flip, only, normalizer, boxes):
        measured.append((name, *only))
        return results, []

    monkeypatch.setattr(script, "evaluate", evaluate)
    script.main.callback("FOLDER", "val")
    written = json.loads((tmp_path / "hard.json").read_text())
    first = {"set": "wflw", "normalizer": "outer_eyes", "boxes": "ground-truth"}
    numbers = {"faces": 3, "nme": 6.5, "nme_error": 0.2, "fr10": 12.0}
    assert written["lotr_m_98"][0] == {**first, **numbers}
    assert [(n, row["set"]) for n, rows in written.items() for row in rows] == measured
    assert ("lotr_m_68", "cfp") in measured and ("lotr_m_68", "wflw") not in measured
    assert "lotr_hr_plus_wflw" not in written


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_speeds_are_those_measured():
    told = list(load(ROOT / "tools" / "make_tables.py").speeds())
    assert ROOT / "presets" / "lotr_m_68" in [folder for folder, _ in told]
    for folder, facts in told:
        assert facts == json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
        assert "int8" not in facts["speed"] or (folder / "model_int8.onnx").exists()


PAGES = [
    *("README.md", "ARCHITECTURE.md", "MODEL_CARD.md", "CHANGELOG.md", "CONTRIBUTING.md"),
    *("examples/README.md", *sorted(f"docs/{p.relative_to(ROOT / 'docs')}" for p in DOCS)),
]


@pytest.mark.parametrize("name", PAGES)
def test_linked_files_are_there(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    links = [link for link in links if "://" not in link]
    assert not [link for link in links if not ((ROOT / name).parent / link).exists()]


def test_site_has_every_page_and_nothing_from_outside_of_its_folder():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in DOCS]
    assert sorted(re.findall(r"[\w/]+\.md", nav)) == sorted(pages)
    for path in DOCS:
        links = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
        inside = [(path.parent / link).resolve() for link in links if "://" not in link]
        assert all(link.is_relative_to(ROOT / "docs") for link in inside), path


def test_index_names_every_page():
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in DOCS]
    assert not [page for page in pages if page != "index.md" and f"({page})" not in text]


def imports_of_the_documents():
    """What the Python code of the documents imports from the library."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        line = r"^(?:>>> )?from (keras_lotr[\w.]*) import ([\w, ]+)"
        for module, names in re.findall(line, text, re.MULTILINE):
            for name in names.split(","):
                yield getattr(importlib.import_module(module), name.strip())


def test_every_public_name_has_an_entry_and_every_entry_is_there():
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs/api").glob("*.md"))
    entries = re.findall(r"^::: (\S+)$", pages, re.MULTILINE)
    assert not {f"keras_lotr.{name}" for name in keras_lotr.__all__} - set(entries)
    assert len(entries) == len(set(entries))
    there = []
    for entry in entries:
        if not entry.startswith("keras_lotr.ray."):  # an extra
            module, _, name = entry.rpartition(".")
            there.append(getattr(importlib.import_module(module), name))
    assert not [found for found in imports_of_the_documents() if found not in there]


def test_docstrings_of_the_site():
    pytest.importorskip("griffe", reason="the site's package")
    of_griffe = load(ROOT / "tools" / "site_docstrings.py").of_griffe
    text = "A sum.\n\nCall arguments:\n    x: 1.\n\nExample:\n\n>>> 1 + 1\n2\n\nAnd so on.\n"
    assert of_griffe(text) == (
        "A sum.\n\nKeyword Args: Call arguments\n    x: 1.\n\n"
        "Examples:\n    >>> 1 + 1\n    2\n\n    And so on.\n"
    )
    assert of_griffe("Example:\n\n>>> 1\n1\n\nReturns:\n    2.\n").endswith("\nReturns:\n    2.\n")


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
    script.main.callback(tmp_path, "val")
    assert capsys.readouterr().out == "afw c.jpg\nhelen b_1.jpg\n"
    del labels[0]["source"]
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    with pytest.raises(ValueError, match="Expected set and source of 2.jpg"):
        script.photos(tmp_path, "val")


@needs(FACES)
def test_list_of_the_val_photos_is_that_of_the_results():
    script = load(ROOT / "tools" / "list_split.py")
    lines = (ROOT / "docs" / "300w_val.txt").read_text().splitlines()
    assert lines == script.photos(FACES, "val")
    results = json.loads((ROOT / "presets" / "lotr_m_68" / "results.json").read_text())
    assert len(lines) == results["faces"]
