"""Where `evaluate --output` may write, and that its two files appear whole."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from keras_lotr.cli import main
from keras_lotr.evaluation.results_files import (
    check_certainty_target,
    check_results_target,
    write_results,
)

pytestmark = pytest.mark.once

NUMBERS = {"8": 1.0, "10": 0.5}
RESULTS = {
    **dict.fromkeys(("preset", "data", "split", "scheme", "normalizer"), "x"),
    **{"faces": 1, "nme": 4.5, "failure_rate": NUMBERS, "auc": NUMBERS, "flip": False},
    **{"regions": {"eyes": 2.5}, "subsets": {}},
}
FACES = [{"image": "a.jpg", "tags": "", "nme": 4.5, "eyes": 2.5}]
LABELS = "image,x0,y0,x1,y1\na.jpg,1,2,3,4\n"
COCO = '{"images": [], "annotations": []}'
REFUSED = "Expected a new file to write, or one of `keras-lotr evaluate`, .* name another output"


def test_results_are_replaced(tmp_path):
    for nme in (4.5, 5.5):
        check_results_target(tmp_path / "new" / "a.json")
        write_results({**RESULTS, "nme": nme}, FACES, tmp_path / "new" / "a.json")
    assert json.loads((tmp_path / "new" / "a.json").read_text())["nme"] == 5.5
    table = (tmp_path / "new" / "a.csv").read_bytes()
    assert table == b"image,tags,nme,eyes\r\na.jpg,,4.5,2.5\r\n"
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"a.json", "a.csv"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", LABELS),
        ("a.csv", "image,tags,nme,x0,y0\n"),  # landmarks are no result
        ("a.csv", ""),
        ("a.json", COCO),
        ("a.json", "[]"),
        ("a.json", "{"),
    ],
)
def test_nothing_else_is_replaced(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    for check in (check_results_target, lambda path: write_results(RESULTS, FACES, path)):
        with pytest.raises(ValueError, match=rf"{REFUSED}".replace(".*", f".*{name}.*")):
            check(tmp_path / "a.json")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == text


def test_a_data_set_is_never_replaced(tmp_path):
    write_results(RESULTS, FACES, tmp_path / "a.json")
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    for data in ("a.json", "a.csv", "link.csv"):
        with pytest.raises(ValueError, match=r"Received: .*a.(csv|json), which is the data set"):
            check_results_target(tmp_path / "a.json", tmp_path / data)
    check_results_target(tmp_path / "a.json", tmp_path)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(ValueError, match="a.csv is a folder"):
        check_results_target(tmp_path / "a.json")


def test_odd_names(tmp_path):
    write_results(RESULTS, [{**FACES[0], "image": "caf\udce9.jpg"}], tmp_path / "a.json")
    assert b"caf\\udce9.jpg" in (tmp_path / "a.csv").read_bytes()


def test_certainty(tmp_path):
    (tmp_path / "labels.json").write_text("[]")
    with pytest.raises(ValueError, match="keras-lotr report certainty.*labels.json, which holds"):
        check_certainty_target(tmp_path / "labels.json", [tmp_path])
    former = {"preset": "x", "scheme": "ibug68", "sets": {}, "pose": {}}
    (tmp_path / "labels.json").write_text(json.dumps(former))
    check_certainty_target(tmp_path / "labels.json", [tmp_path])


@pytest.mark.parametrize(
    ("data", "output", "text", "sentence"),
    [
        ("mine.csv", "mine.json", LABELS, "which is the data set"),
        ("my.json", "my.json", COCO, "which is the data set"),
        (".", "labels.json", "[]", "which holds something else"),
    ],
)
def test_the_command_refuses_before_it_measures(
    tmp_path, monkeypatch, data, output, text, sentence
):
    monkeypatch.setattr("keras_lotr.cli.report.measured_model", None)  # a call is a TypeError
    file = tmp_path / (output if data == "." else data)
    file.write_text(text)
    arguments = ["evaluate", "lotr_s_68", "--data", tmp_path / data, "--output", tmp_path / output]
    run = CliRunner().invoke(main, list(map(str, arguments)))
    assert run.exit_code == 2, run.output
    assert sentence in run.output
    assert file.read_text() == text
    assert list(Path(tmp_path).iterdir()) == [file]
