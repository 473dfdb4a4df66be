"""Files and folders that appear whole or not at all."""

import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext

import pytest
from click.testing import CliRunner

from keras_lotr.cli import main
from keras_lotr.cli.result_files import open_results
from keras_lotr.presets.files import write_file
from keras_lotr.presets.weights import save_arrays
from keras_lotr.unfinished import remove_abandoned, remove_unfinished, unfinished_folder
from keras_lotr.writing import (
    check_file_target,
    check_folder,
    check_folder_target,
    check_new_folder,
    check_replaced,
    replace_folder,
    replaced,
)

pytestmark = pytest.mark.once


def content(folder):
    return sorted(path.name for path in folder.iterdir())


class TestFile:
    def test_replaced(self, tmp_path):
        path = tmp_path / "new" / "x"
        for text in ("old", "new"):
            with replaced(path) as unfinished:
                unfinished.write_text(text)
        assert path.read_text() == "new"
        assert content(path.parent) == ["x"]

    def test_link_is_not_followed(self, tmp_path):
        (tmp_path / "target").write_text("old")
        (tmp_path / "link").symlink_to(tmp_path / "target")
        write_file(tmp_path / "link", b"new")
        assert (tmp_path / "target").read_text() == "old"
        assert not (tmp_path / "link").is_symlink()

    @pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
    def test_nothing_is_left_after_an_error(self, error, tmp_path):
        (tmp_path / "x").write_text("old")
        with pytest.raises(error), replaced(tmp_path / "x") as unfinished:
            unfinished.write_text("half")
            raise error("no")
        assert (tmp_path / "x").read_text() == "old"
        assert content(tmp_path) == ["x"]

    @pytest.mark.parametrize("write", [lambda p: write_file(p, b"1"), lambda p: save_arrays({}, p)])
    def test_folder(self, write, tmp_path):
        (tmp_path / "folder.onnx").mkdir()
        sentence = r"Expected a file to write. .*folder\.onnx is a folder: name a file in it\."
        with pytest.raises(ValueError, match=sentence):
            write(tmp_path / "folder.onnx")
        assert content(tmp_path) == ["folder.onnx"]

    @pytest.mark.parametrize("check", [check_file_target, lambda p: check_folder_target(p, "x")])
    def test_way_over_a_file(self, check, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ValueError, match="Expected a path in a folder. .*file is a file"):
            check(tmp_path / "file" / "new" / "x")

    def test_disk_says_no(self, tmp_path, monkeypatch):
        def fail(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="x cannot be written: No space left on device"):
            write_file(tmp_path / "x", b"1")
        assert not content(tmp_path)

    def test_what_a_kill_left_is_removed(self, tmp_path):
        for name in (".12_0123abcd.safetensors", ".7_ffffffff", ".hidden", "x", ".12_0123abcd.d"):
            (tmp_path / name).write_text("")
        (tmp_path / ".3_0123abcd").mkdir()
        remove_unfinished(tmp_path)
        assert content(tmp_path) == [".3_0123abcd", ".hidden", "x"]


class TestAbandoned:
    @pytest.fixture
    def dead(self):
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        return process.pid

    def leave(self, path, age=7200):
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
        for touched in (path, path.parent):
            os.utime(touched, (time.time() - age,) * 2)

    def test_of_the_dead_only(self, dead, tmp_path):
        self.leave(tmp_path / f".{dead}_0123abcd.pts")
        self.leave(tmp_path / f".{dead}_0123abce.mp4", age=60)  # of another machine, perhaps
        self.leave(tmp_path / f".{os.getpid()}_0123abcd.json")
        self.leave(tmp_path / ".own.json")
        remove_abandoned(tmp_path)
        remove_abandoned(tmp_path / "missing")
        left = [f".{dead}_0123abce.mp4", f".{os.getpid()}_0123abcd.json", ".own.json"]
        assert content(tmp_path) == sorted(left)

    def test_folders(self, dead, tmp_path):
        self.leave(tmp_path / f".{dead}_0123abcd" / "model.onnx")
        self.leave(tmp_path / f".{dead}_0123abce" / "model.onnx")
        os.utime(tmp_path / f".{dead}_0123abce" / "model.onnx")  # somebody just wrote it
        with unfinished_folder(tmp_path / "x") as folder:
            (folder / "half").write_text("")
            assert content(tmp_path) == sorted([folder.name, f".{dead}_0123abce"])
        assert content(tmp_path) == [f".{dead}_0123abce"]

    @pytest.mark.parametrize("output", ["found", "found/all.json"])
    def test_predict_removes_it(self, output, dead, tmp_path):
        self.leave(tmp_path / "found" / f".{dead}_0123abcd.jpg")
        results = open_results(["a.jpg"], tmp_path / output)
        with results.log or nullcontext():
            pass
        assert content(tmp_path / "found") == []


class TestFolder:
    @pytest.fixture
    def new(self, tmp_path):
        (tmp_path / "work" / "new").mkdir(parents=True)
        (tmp_path / "work" / "new" / "mark").write_text("new")
        return tmp_path / "work" / "new"

    def test_there_is_none_yet(self, new, tmp_path):
        check_folder_target(tmp_path / "x", "mark")
        replace_folder(new, tmp_path / "x")
        assert (tmp_path / "x" / "mark").read_text() == "new"

    def test_replaced_whole(self, new, tmp_path):
        (tmp_path / "x").mkdir()
        for name in ("mark", "other"):
            (tmp_path / "x" / name).write_text("old")
        check_folder_target(tmp_path / "x", "mark")
        replace_folder(new, tmp_path / "x")
        assert content(tmp_path / "x") == ["mark"]
        assert content(new.parent) == ["old"]

    def test_old_one_stays_if_the_new_one_cannot_come(self, new, tmp_path):
        (tmp_path / "x").mkdir()
        with pytest.raises(OSError):
            replace_folder(new.with_name("no"), tmp_path / "x")
        assert (tmp_path / "x").is_dir()

    @pytest.mark.parametrize("kind", ["file", "folder", "link"])
    def test_something_else_is_there(self, kind, tmp_path):
        path = tmp_path / "x"
        if kind == "file":
            path.write_text("mine")
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to(tmp_path / "nowhere")
        with pytest.raises(ValueError, match="Expected a new folder, or one with a mark, .*x"):
            check_folder_target(path, "mark")


class TestReadOnly:
    """It is told before an hour of work. Tests may run as root, whom no permissions stop."""

    @pytest.fixture
    def read_only(self, monkeypatch):
        def fail(dir=None):
            if dir is None:
                return temporary_file()
            raise PermissionError(13, "Permission denied", str(dir))

        temporary_file = tempfile.TemporaryFile
        monkeypatch.setattr(tempfile, "TemporaryFile", fail)

    @pytest.mark.parametrize("name", ["x", "new/folder/x"])
    @pytest.mark.parametrize(
        "check",
        [
            check_file_target,
            check_folder,
            check_new_folder,
            lambda path: check_folder_target(path, "mark"),
            lambda path: check_replaced(path, None, "predict"),
        ],
    )
    def test_checks(self, check, name, tmp_path, request):
        check(tmp_path / name)
        assert content(tmp_path) == []
        request.getfixturevalue("read_only")
        with pytest.raises(OSError, match=rf"{name} cannot be written: Permission denied\."):
            check(tmp_path / name)

    @pytest.mark.parametrize(
        "command",
        [
            "evaluate no_preset --data no_data --output out/x.json",
            "review no_preset --data no_data --output out/x.html",
            "report worst no_preset --data no_data --output out/x.png",
            "report table no_results.json --output out/x.md",
            "report losses --output out/x.png",
            "predict photos --output out/found",
            "predict photos --output out/x.json",
            "shard --data photos --output out/x",
            "train lotr_m_68 --data photos --output out/x",
            "export lotr_s_68 --output out/x.onnx",
            "export lotr_s_68 --output out/saved --format saved_model",
        ],
    )
    def test_commands(self, command, read_only, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "a.jpg").write_text("no image")
        done = CliRunner().invoke(main, command.split())
        assert done.exit_code == 2
        assert re.search(r"out/\S+ cannot be written: Permission denied\.", done.stderr)
        assert content(tmp_path) == ["photos"]
