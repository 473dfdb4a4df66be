"""Tables beside the published numbers, and the `report` commands that need no model."""

import json

import pytest
from click.testing import CliRunner

from keras_lotr.cli import main
from keras_lotr.evaluation.tables import PUBLISHED, tables

pytestmark = pytest.mark.once

PAPERS = json.loads(PUBLISHED.read_text())
SUBSETS = ["pose", "expression", "illumination", "make-up", "occlusion", "blur"]


def results(scheme="ibug68", subsets=(), nme=4.25, **changes):
    part = {
        "faces": 50,
        "nme": nme,
        "failure_rate": {"8": 8.5, "10": 4.5},
        "auc": {"8": 50.25, "10": 60.5},
    }
    return {
        "preset": "runs/x/mine",
        "data": "photos",
        "split": "val",
        "scheme": scheme,
        "normalizer": "outer_eyes",
        "flip": False,
        "regions": {"eyes": 2.5},
        **part,
        "subsets": {name: {**part, "nme": nme + 1} for name in subsets},
        **changes,
    }


def row(text, *starts):
    """Cells of the one row that starts with these."""
    start = "| " + " | ".join(starts) + " |"
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_published_number_has_a_source():
    for table in PAPERS["tables"]:
        for published in table["rows"]:
            assert set(published["sources"]) <= set(PAPERS["sources"])
            numbers = {"nme", "failure_rate", "auc"} & set(published)
            assert bool(numbers) == bool(published["sources"]), published["method"]
            for name in numbers:
                assert set(published[name]) <= set(table["subsets"])


def test_layout_of_table_2():
    text = tables([results("wflw98", SUBSETS)])
    assert row(text, "metric")[3:] == ["all", *SUBSETS]
    assert row(text, "NME", "LOTR-HR+")[2:] == [
        "WFLW test", "4.31", "7.50", "", "", "4.16", "", ""
    ]  # fmt: skip
    assert row(text, "NME", "mine")[2:] == ["photos val, 50", "4.25", *["5.25"] * 6]
    assert row(text, "FR", "mine")[3] == "4.50"  # at 10 %
    assert row(text, "AUC", "mine")[3] == "60.50"
    assert row(text, "NME", "LAB")[3:] == [""] * 7
    assert "- LAB: none found" in text


def test_layout_of_table_3():
    text = tables([results("jd106")])
    assert row(text, "metric")[3:] == ["all"]
    assert row(text, "AUC", "LOTR-R+")[3] == "87.71"
    assert row(text, "FR", "mine")[3] == "8.50"  # at 8 %


def test_other_schemes_have_both_thresholds_and_their_own_subsets():
    text = tables([results(subsets=["afw"]), results(preset="hf://a/other", flip=True)])
    assert row(text, "FR@8", "mine")[3:] == ["8.50", "8.50"]
    assert row(text, "AUC@10", "other (flip)")[3:] == ["60.50", ""]
    assert "Table" not in text


def test_one_table_for_each_scheme():
    text = tables([results("jd106"), results("wflw98"), results("jd106", nme=1.0)])
    assert text.count("**Table 3") == text.count("**Table 2") == 1


def write(path, content):
    path.write_text(json.dumps(content))
    return str(path)


def test_command(tmp_path):
    output = tmp_path / "new" / "table.md"
    source = write(tmp_path / "results.json", results("wflw98", SUBSETS))
    run = CliRunner().invoke(main, ["report", "table", source, "--output", str(output)])
    assert run.exit_code == 0, run.output
    assert output.read_text() == run.output == tables([results("wflw98", SUBSETS)]) + "\n"


def test_files_of_another_kind_among_the_results_are_left_out(tmp_path):
    """As in this checkout: `keras-lotr report table results/*.json`."""
    mine = write(tmp_path / "mine.json", results())
    other = write(tmp_path / "benchmarks.json", {"stage": {}})
    for files in ((mine, other), (other, mine)):
        output = tmp_path / "table.md"
        run = CliRunner().invoke(main, ["report", "table", *files, "--output", str(output)])
        assert run.exit_code == 0 and run.stdout == tables([results()]) + "\n"
        note = f"keras-lotr: {other} is left out: no result of `evaluate`.\n"
        assert run.stderr == note


def test_a_run_is_called_by_its_folder():
    text = tables([results(preset="runs/fine/preset"), results(preset="preset")])
    assert row(text, "NME", "fine") and row(text, "NME", "preset")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no"),
        ({"nme": 3}, "It lacks ['auc'"),
        ([], "It lacks"),
        (results(nme="3"), "It lacks ['nme']"),
        (results(subsets=["afw"], nme=1) | {"subsets": {"afw": {"nme": 3}}}, "lacks ['subsets']"),
        (results(failure_rate={"8": 1}), "It lacks ['failure_rate']"),
    ],
)
def test_bad_results(content, message, tmp_path):
    path, output = tmp_path / "results.json", tmp_path / "table.md"
    if content is not None:
        write(path, content)
    run = CliRunner().invoke(main, ["report", "table", str(path), "--output", str(output)])
    assert run.exit_code == 2 and message in run.output
    assert not output.exists()


def test_rows_say_how_they_were_measured_if_not_as_usual():
    plain = results(normalizer="outer_eyes", converted_from=None, only=[])
    other = results(normalizer="box", converted_from="wflw98", only=["hard"])
    detected = results(normalizer="outer_eyes", boxes="detector")
    text = tables([plain, other, detected])
    assert "| photos val, boxes of the detector, 50 |" in text
    assert "| photos val, 50 |" in text
    assert "| photos val, hard, labels of wflw98, by box, 50 |" in text
