"""Locks of files and folders."""

import os

import pytest

from keras_lotr import locking
from keras_lotr.locking import lock

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(locking.fcntl is None, reason="Windows has no such locks"),
]


@pytest.mark.parametrize("kind", ["file", "folder", "link to a folder"])
def test_held_until_it_is_closed(kind, tmp_path):
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind != "file":
        (tmp_path / "there").mkdir()
        path.symlink_to(tmp_path / "there")
    held = lock(path)
    with pytest.raises(BlockingIOError, match="x is locked"):
        lock(path)
    os.close(held)
    os.close(lock(path))


def test_link_to_a_file_is_not_followed(tmp_path):
    (tmp_path / "x").symlink_to(tmp_path / "there")
    with pytest.raises(OSError):
        lock(tmp_path / "x")
    assert not (tmp_path / "there").exists()


def test_a_file_that_was_just_removed_is_made_anew(tmp_path, monkeypatch):
    """Or else two processes would have the lock of files of one name."""
    flock = locking.fcntl.flock

    def late(*arguments):
        if not removed:
            removed.append((tmp_path / "x").unlink())
        return flock(*arguments)

    removed = []
    monkeypatch.setattr(locking.fcntl, "flock", late)
    held = lock(tmp_path / "x")
    assert os.path.samestat(os.fstat(held), os.stat(tmp_path / "x"))
    os.close(held)


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locking.fcntl, "flock", fail)
    os.close(lock(tmp_path / "x"))
