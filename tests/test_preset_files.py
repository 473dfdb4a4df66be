"""Where a preset's files are found: shipped, in folders of one's own, on the Hub."""

import json
import shutil
import warnings
from pathlib import Path

import pytest
from tiny import tiny_lotr

from keras_lotr.presets.files import (
    DETECTOR,
    FORMER_NAMES,
    LANDMARKS,
    PIN,
    local_presets,
    resolve,
    shipped_folder,
    write_file,
)
from keras_lotr.presets.preset import CONFIG, METADATA, WEIGHTS
from keras_lotr.presets.table import preset_table


@pytest.fixture
def folder(tmp_path):
    tiny_lotr(68).save_to_preset(tmp_path / "presets" / "tiny")
    return tmp_path / "presets" / "tiny"


def test_ones_own_weights_for_a_shipped_preset_without(folder, monkeypatch, tmp_path):
    shipped = tmp_path / "shipped"
    shutil.copytree(folder, shipped / "tiny", ignore=shutil.ignore_patterns(WEIGHTS))
    monkeypatch.setattr("keras_lotr.presets.files.shipped_folder", lambda: shipped)
    assert resolve("tiny").folder == shipped / "tiny"
    monkeypatch.setenv("KERAS_LOTR_PRESETS", str(folder.parent))
    assert resolve("tiny").folder == folder
    shutil.copy(folder / WEIGHTS, shipped / "tiny")
    assert resolve("tiny").folder == shipped / "tiny"


def test_kind(tmp_path):
    assert resolve("lotr_m_68").kind == LANDMARKS
    assert resolve("face_detector").kind == DETECTOR
    for config in ("[]", "{}"):
        (tmp_path / CONFIG).write_text(config)
        assert resolve(tmp_path).kind is None


def test_all_files_of_a_preset_of_the_hub_are_of_one_commit(hub):
    commit = hub.put("me/tiny", {CONFIG: b"{}", METADATA: b'{"nme": 1}'})
    files = resolve("hf://me/tiny")
    hub.put("me/tiny", {CONFIG: b"{}", METADATA: b'{"nme": 2}', WEIGHTS: b""})
    assert files.json(METADATA) == {"nme": 1}
    assert files.path(WEIGHTS) is None
    assert files.handle.revision == commit
    assert resolve("hf://me/tiny").json(METADATA) == {"nme": 2}


def test_repository_that_is_no_preset(hub):
    hub.put("me/tiny", {"README.md": b"# Hello"})
    with pytest.raises(ValueError, match=f"Expected a preset. hf://me/tiny has no {CONFIG}"):
        resolve("hf://me/tiny")


def test_folder_of_the_cache_is_a_preset_folder(hub, folder):
    hub.put_folder("me/tiny", folder)
    there = resolve("hf://me/tiny").path(CONFIG).parent
    assert resolve(there).json(CONFIG) == resolve(folder).json(CONFIG)


@pytest.mark.parametrize("pin", [[], {}, {"handle": "x", "sha256": {}}, {"handle": "hf://a/b"}])
def test_broken_pin(folder, pin):
    (folder / WEIGHTS).unlink()
    (folder / PIN).write_text(json.dumps(pin))
    with pytest.raises(ValueError, match=f"{PIN} of .* is not valid"):
        resolve(folder)


def test_write_file_replaces(tmp_path):
    write_file(tmp_path / "x", b"old")
    write_file(tmp_path / "x", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(ValueError, match="folder is a folder: name a file in it"):
        write_file(tmp_path / "folder", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_unknown_name_is_answered_with_what_can_be_used(folder, monkeypatch):
    monkeypatch.setenv("KERAS_LOTR_PRESETS", str(folder.parent))
    with pytest.raises(ValueError, match=r"no preset 'nope'\. Available: face_detector, .*tiny\."):
        resolve("nope")
    with pytest.raises(ValueError, match=r"no preset 'nope'\. Available: lotr_m_68, tiny\. A"):
        resolve("nope", usable=lambda: ["lotr_m_68", "tiny"])
    with pytest.raises(ValueError, match=r"no preset 'tiny2'\. Nearest: tiny\. A"):
        resolve("tiny2", usable=lambda: ["lotr_m_68", "tiny"])


def test_a_file_is_no_preset_and_one_of_keras_can_become_one(tmp_path):
    for name, hint in (("best.keras", "keras.saving.load_model"), ("a.h5", "take the folder")):
        (tmp_path / name).write_bytes(b"content")
        with pytest.raises(ValueError, match=f"{name} is a file; .*{hint}"):
            resolve(tmp_path / name)


def test_the_folder_of_a_training_is_answered_with_the_preset_in_it(folder):
    with pytest.raises(ValueError, match=rf"has no {CONFIG}\. .*{folder.name} is one\.$"):
        resolve(folder.parent)


def test_a_path_is_a_folder_and_a_name_tells_that_it_is_none(folder, monkeypatch):
    own = folder.rename(folder.parent / "lotr_m_68")
    monkeypatch.chdir(own.parent)
    shipped = shipped_folder() / own.name
    assert resolve(Path(own.name)).folder.samefile(own)
    assert resolve(f"./{own.name}").folder.samefile(own)
    with pytest.warns(UserWarning, match=r"not the folder .* here, which is './lotr_m_68'"):
        assert resolve(own.name).folder == shipped
    monkeypatch.chdir(shipped.parent)  # where the name is the folder
    with warnings.catch_warnings(action="error"):
        assert resolve(own.name).folder == shipped


def test_the_warning_of_a_folder_comes_once(folder, monkeypatch):
    folder.rename(folder.parent / "lotr_m_68")
    monkeypatch.chdir(folder.parent)
    with warnings.catch_warnings(record=True, action="default") as told:
        resolve("lotr_m_68")
        resolve("lotr_m_68")
    assert len(told) == 1


def test_json_that_holds_no_object(folder, monkeypatch):
    (folder / METADATA).write_text("[1]")
    monkeypatch.setenv("KERAS_LOTR_PRESETS", str(folder.parent))
    with pytest.raises(ValueError, match="Expected an object, .*, in metadata.json of .*tiny"):
        preset_table()


def test_a_path_where_there_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="no preset folder lotr_m_68. .* is 'lotr_m_68' as text"):
        resolve(Path("lotr_m_68"))
    with pytest.raises(ValueError, match=r"no preset folder nope\.$"):
        resolve(Path("nope"))


@pytest.mark.parametrize("former, name", FORMER_NAMES.items())
def test_former_names_still_load(former, name, tmp_path, monkeypatch):
    assert resolve(former).folder == resolve(name).folder == shipped_folder() / name
    assert former not in local_presets()
    own = tmp_path / former
    own.mkdir()
    (own / CONFIG).write_text("{}")
    monkeypatch.setenv("KERAS_LOTR_PRESETS", str(tmp_path))
    assert resolve(former).folder == own  # of the user's own
