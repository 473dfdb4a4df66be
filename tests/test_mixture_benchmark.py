"""A mixture against one training after the other (benchmarks/mixture.py)."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner
from loading import load
from tiny import SHALLOW, tiny_lotr, write_faces

from keras_lotr.preprocessor import Preprocessor
from keras_lotr.training.recipe import Recipe

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("tiny_variant")]
BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "mixture.py"


def test_rows_have_the_same_number_of_crops(tmp_path):
    group = {"scheme": "ibug68", "data": ["faces"]}
    groups = [{**group, "name": "a", "share": 3}, {**group, "name": "b", "val_weight": 0.0}]
    recipe = Recipe(batch_size=2, epochs=1, samples_per_epoch=8, warmup_steps=1, mixture=groups)
    (tmp_path / "recipe.json").write_text(json.dumps(asdict(recipe)))
    faces = write_faces(tmp_path / "kit", ["train"] * 4 + ["val"] * 2)
    model = tiny_lotr(68, **SHALLOW)
    model.preprocessor = Preprocessor("ibug68", 64, 1.3)
    model.save_to_preset(tmp_path / "init")
    arguments = [tmp_path / "recipe.json", "--data", f"faces={faces}", "--init", tmp_path / "init"]
    chosen = ["--only", "together", "--only", "one after the other"]
    CliRunner().invoke(
        load(BENCHMARK).main,
        [*map(str, arguments), "--output", str(tmp_path / "results.json"), *chosen],
        catch_exceptions=False,
    )
    rows = json.loads((tmp_path / "results.json").read_text())
    assert list(rows) == ["together", "one after the other"]
    for row in rows.values():
        assert row["crops"] == 8
        assert row["val_nme"].keys() == {"a", "b"} and all(row["val_nme"].values())
