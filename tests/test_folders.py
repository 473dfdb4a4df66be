"""The images that files, folders, patterns and URLs stand for, and what is left out."""

import os

import pytest

from keras_lotr.images.folders import expand, find_images
from keras_lotr.images.names import natural_key

pytestmark = pytest.mark.once
PNG = b"\x89PNG\r\n\x1a\n"


def names(images):
    return [os.path.basename(image) for image in images]


def test_folder_pattern_file_and_url(tmp_path):
    for name in ("b10.jpg", "b9.JPG", "c.png", "notes.txt"):
        (tmp_path / name).touch()
    folder = [str(tmp_path / n) for n in ("b9.JPG", "b10.jpg", "c.png")]
    assert expand([tmp_path]) == folder
    assert expand([tmp_path / "*.jpg"]) == [folder[1]]
    assert expand(["no.jpg", "https://x/y", tmp_path, folder[2]]) == [
        *("no.jpg", "https://x/y"),
        *folder,
    ]


def test_list_of_images(tmp_path):
    (tmp_path / "sub").mkdir()
    lines = ["sub/é 1.jpg", str(tmp_path / "b.jpg"), "", "https://x/y", "sub/é 1.jpg"]
    lines += ["# a comment", " # and one more", "#"]
    for text in ("\n".join(lines), "\r\n".join(lines)):
        (tmp_path / "list.txt").write_bytes(text.encode("utf-8-sig"))
        assert expand([tmp_path / "list.txt"]) == [
            *(str(tmp_path / "sub/é 1.jpg"), str(tmp_path / "b.jpg")),
            "https://x/y",
        ]
        assert names(expand([tmp_path / "list.txt"], repeated=True)) == [
            *("é 1.jpg", "b.jpg", "y", "é 1.jpg")
        ]
    (tmp_path / "list.txt").write_text("\n".join(lines), encoding="utf-16")  # of PowerShell
    assert names(expand([tmp_path / "list.txt"])) == ["é 1.jpg", "b.jpg", "y"]
    (tmp_path / "list.txt").write_text("./#1.jpg")
    assert names(expand([tmp_path / "list.txt"])) == ["#1.jpg"]
    (tmp_path / "list.txt").write_text("\n# nothing\n")
    with pytest.raises(ValueError, match="There is none in .*list.txt"):
        expand([tmp_path / "list.txt"])


def test_an_image_that_is_reached_on_two_ways_is_there_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    assert expand(["a.jpg", "./a.jpg", tmp_path / "a.jpg", "b.jpg"]) == ["a.jpg", "b.jpg"]
    (tmp_path / "round").symlink_to(".")
    assert expand(["**/*.jpg"]) == ["a.jpg", "b.jpg"]


def test_nothing(tmp_path):
    for source in (tmp_path, tmp_path / "*.jpg"):
        with pytest.raises(ValueError, match="There is none in"):
            expand([source])
    (tmp_path / "raw.nef").touch()
    with pytest.raises(ValueError, match=r"none in .*raw.nef is of a kind that is not read"):
        expand([tmp_path])


def test_every_image_is_found_or_named(tmp_path):
    found = ["a.jfif", "b.jpe", "c.HEIC", "d.avif", "e.tif", "f", "g.jpg_large", "link.jpg"]
    for name in found[:5]:
        (tmp_path / name).touch()
    for name in ("f", "g.jpg_large"):  # told by their first bytes
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "f")
    for name in ("notes.txt", "labels.csv", ".DS_Store"):
        (tmp_path / name).write_bytes(PNG)
    for name in ("._a.jfif", ".hidden.png", "h.nef", "i.svg"):
        (tmp_path / name).touch()
    (tmp_path / "lost.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.jpg").mkdir()
    images, left_out = find_images([tmp_path])
    assert sorted(names(images)) == sorted(found)
    assert {os.path.basename(path): reason for path, reason in left_out.items()} == {
        "._a.jfif": "hidden",
        ".hidden.png": "hidden",
        "h.nef": "of a kind that is not read",
        "i.svg": "of a kind that is not read",
        "lost.jpg": "a link to nothing",
    }


def test_hidden_file_that_is_named(tmp_path):
    (tmp_path / ".a.jpg").touch()
    assert names(expand([tmp_path / ".a.jpg"])) == [".a.jpg"]


def test_subfolders_and_links_in_a_circle(tmp_path):
    deep = tmp_path / "x" / "y"
    deep.mkdir(parents=True)
    (deep / "a.jpg").touch()
    (deep / "up").symlink_to(tmp_path)
    assert names(find_images([tmp_path], recursive=True)[0]) == ["a.jpg"]
    with pytest.raises(ValueError, match="none in"):
        find_images([tmp_path])


def test_names_that_look_like_patterns(tmp_path):
    folder = tmp_path / "photos [2024]"
    folder.mkdir()
    (folder / "a[1].jpg").touch()
    assert names(expand([folder])) == ["a[1].jpg"]
    assert names(expand([folder / "a[1].jpg"])) == ["a[1].jpg"]


def test_folder_that_cannot_be_opened(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.jpg").touch()
    scan = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    images, left_out = find_images([tmp_path], recursive=True)
    assert names(images) == ["a.jpg"]
    assert left_out == {str(tmp_path / "closed"): "a folder that cannot be opened"}


def test_list_with_paths_of_windows(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.jpg").touch()
    (tmp_path / "list.txt").write_text("sub\\a.jpg\nnone\\b.jpg\n")
    found = [str(tmp_path / "sub" / "a.jpg"), str(tmp_path / "none\\b.jpg")]
    assert expand([tmp_path / "list.txt"]) == found


def test_natural_order():
    assert sorted(["a10.jpg", "a9.jpg", "b1.jpg"], key=natural_key) == [
        "a9.jpg",
        "a10.jpg",
        "b1.jpg",
    ]
