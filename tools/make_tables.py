"""Fill the tables of README.md and other pages, and the cards' speed, from results files.

    python tools/make_tables.py

A table stands between `<!-- name -->` and `<!-- /name -->`; nothing in between is typed by hand.
"""

import json
import re
import sys
from pathlib import Path

import click

from keras_lotr.presets.files import ONNX_INT8
from keras_lotr.presets.preset import (
    CONFIG,
    METADATA,
    PREPROCESSOR,
    RECIPE,
    RESULTS,
    local_presets,
    resolve,
    write_json,
)
from keras_lotr.presets.table import preset_table
from keras_lotr.publishing.card import nme_with_error, results_table
from keras_lotr.publishing.publish import write_card
from keras_lotr.training.run_files import HISTORY, read_history
from keras_lotr.variants import VARIANTS

ROOT = Path(__file__).parent.parent


PAGES = (
    *("README.md", "MODEL_CARD.md", "docs/benchmarks.md", "docs/speed.md", "docs/licenses.md"),
    *("docs/evaluate.md", "docs/training.md", "docs/certainty.md", "docs/scale.md"),
    *("docs/video.md", "docs/cli.md"),
)
MEASURED = ROOT / "results"
HARD = MEASURED / "hard_faces.json"  # of benchmarks/hard_faces.py; may be missing
EASY = "faces"  # the data set of the column "easy faces": results.json of a preset on it
# The variants that `benchmarks/inference.py` measures, at the paper's crop size.
STAGES = {
    "lotr_m": "LOTR-M",
    "lotr_m_plus": "LOTR-M+",
    "lotr_r_plus": "LOTR-R+",
    "lotr_s": "LOTR-S",
}


def tables():
    """{name of the place: Markdown}."""
    sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tools")]
    from bulk_table import billion_table, bulk_table, serving_table, stages_table
    from certainty_table import certainty_table, cost_table
    from command_reference import command_reference
    from input_table import input_table, memory_table, parts_table
    from speed_table import (
        detectors_table,
        hard_detection_table,
        peers_sentence,
        peers_table,
        speed_table,
        training_table,
    )
    from video_table import video_table

    results, sure = [], sorted(MEASURED.glob("certainty_*.json"))
    for name, folder in sorted(local_presets().items()):
        measured = resolve(folder).json(RESULTS)
        if measured is not None and "regions" in measured:
            results += [f"**{name}**, on {heading(measured)}", "", *results_table(measured), ""]
    bulk = read(MEASURED / "bulk.json")
    return {
        "summary": "\n".join(summary()),
        "hard": "\n".join(hard_faces()),
        "presets": f"```\n{preset_table()}\n```",
        "results": "\n".join(results).rstrip(),
        "rendered": rendered(read(MEASURED / "rendered_faces.json")),
        "training_data": "\n".join(training_data()),
        "sizes": "\n".join(sizes()),
        "runs": "\n".join(runs()),
        "short_runs": "\n".join(short_runs(read(MEASURED / "short_runs.json"))),
        "speed": speed_table(read(MEASURED / "benchmarks.json")),
        "peers": peers_table(read(MEASURED / "peers.json")),
        "peers_sentence": peers_sentence(read(MEASURED / "peers.json")),
        "detectors": detectors_table(read(MEASURED / "peers.json")),
        "hard_detection": hard_detection_table(read(MEASURED / "hard_detection.json")),
        "certainty": "\n".join(certainty_table(map(read, sure))),
        "certainty_cost": "\n".join(cost_table(read(MEASURED / "head_cost.json"))),
        "training": training_table(read(MEASURED / "training.json")),
        "input_pipeline": input_table(read(MEASURED / "input_pipeline.json")),
        "parts": parts_table(read(MEASURED / "input_pipeline.json")),
        "shard_memory": memory_table(read(MEASURED / "input_pipeline.json")),
        "bulk": "\n".join(bulk_table(bulk)),
        "bulk_stages": "\n".join(stages_table(bulk)),
        "billion": "\n".join(billion_table(bulk)),
        "serving": "\n".join(serving_table(read(MEASURED / "serving.json"))),
        "video": video_table(read(MEASURED / "video.json")),
        "cli": "\n".join(command_reference()).rstrip(),
    }


def summary():
    """Lines of the one table of the trained landmark presets; a dash where nothing is measured."""
    hard = read(HARD) if HARD.exists() else {}
    stage = read(MEASURED / "benchmarks.json")["stage"]
    yield (
        "| preset | landmarks | parameters | NME, easy faces | NME, hard faces | ms per face "
        "| weights |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name, folder in sorted(local_presets().items()):
        files = resolve(folder)
        facts, landmarks = files.json(METADATA) or {}, num_landmarks(files)
        if landmarks is None or not facts.get("trained"):
            continue
        measured, ms = files.json(RESULTS) or {}, stage.get(f"{stage_of(files)}, onnxruntime")
        cells = (
            *(name, landmarks, f"{facts['parameters'] / 1e6:.1f} M"),
            per_cent(measured if measured.get("data") == EASY else None),
            per_cent(row_on(hard.get(name, []), "wflw")),
            *(f"{ms:.1f}" if ms else "-", facts["licence"]),
        )
        yield f"| {' | '.join(map(str, cells))} |"


def row_on(rows, name):
    """That of a set with ground-truth boxes, of the rows of a preset; None if it is not there."""
    found = [r for r in rows if (r["set"], r["boxes"]) == (name, "ground-truth")]
    return found[0] if found else None


def hard_faces():
    """Lines of a table of the hard faces."""
    yield "| preset | set | divided by | boxes | faces | NME | above 10 % |"
    yield "|---|---|---|---|---|---|---|"
    for name, rows in (read(HARD) if HARD.exists() else {}).items():
        for r in rows:
            yield (
                f"| {name} | {r['set']} | {r['normalizer']} | {r['boxes']} | {r['faces']} "
                f"| {per_cent(r)} | {r['fr10']:.1f} % |"
            )


def num_landmarks(files):
    """N of a landmark preset; None for a preset of another kind."""
    config = (files.json(CONFIG) or {}).get("config")
    return config.get("num_landmarks") if isinstance(config, dict) else None


def stage_of(files):
    """The measured network that takes as long as this preset's; None if there is none."""
    recipe, preprocessor = files.json(RECIPE) or {}, files.json(PREPROCESSOR) or {}
    variant = recipe.get("variant")
    known = variant in STAGES and preprocessor.get("image_size") == VARIANTS[variant][1]
    return STAGES[variant] if known else None


def per_cent(measured):
    """NME and its standard error; a dash where nothing is measured."""
    return f"{nme_with_error(measured)} %" if measured else "-"


def runs():
    """Lines of a table of the trainings behind the landmark presets, stage by stage."""
    yield "| preset | stage | epochs | minutes | loss | best val NME | slopes of shape components |"
    yield "|---|---|---|---|---|---|---|"
    for name, folder in sorted(local_presets().items()):
        measured = resolve(folder).json(RESULTS) or {}
        if "shape_modes" not in measured:
            continue
        for path in (*sorted(folder.glob("history_*.csv")), folder / HISTORY):
            rows = read_history(path)
            stage = path.stem.removeprefix("history").removeprefix("_stage") or "last"
            modes = measured["shape_modes"] if stage == "last" else []
            slopes = " ".join(f"{slope:.2f}" for slope in modes)
            minutes = sum(row["seconds"] for row in rows) / 60
            loss, nme = rows[-1]["loss"], min(row["val_nme"] for row in rows)
            yield (
                f"| {name} | {stage} | {len(rows)} | {minutes:.0f} | {loss:.2f} | {nme:.2f} "
                f"| {slopes} |"
            )


def rendered(measured):
    """What the faces in examples/ give, and how to measure it."""
    pose = measured["subsets"]["pose"]
    others = measured["faces"] - pose["faces"]
    nme = (measured["nme"] * measured["faces"] - pose["nme"] * pose["faces"]) / others
    return "\n".join([
        "```",
        f"keras-lotr evaluate {measured['preset']} --data examples/{measured['data']} "
        f"--split {measured['split']} --output results/rendered_faces.json",
        "```",
        "",
        f"The NME is {measured['nme']:.2f} % without flip averaging. It is {pose['nme']:.2f} % on "
        f"the {pose['faces']} of the {measured['faces']} faces that are turned far (subset "
        "`pose`), whose distance of the eyes, the divisor, is short in the image, and "
        f"{nme:.2f} % on the others.",
    ])  # fmt: skip


def training_data():
    """Lines of a list of what the presets were trained on, and what that allows."""
    for name, folder in sorted(local_presets().items()):
        facts = resolve(folder).json(METADATA) or {}
        if facts.get("trained"):
            yield (
                f"- **{name}**: the licence of the weights is *{facts['licence']}*. Trained on: "
                f"{facts['trained_on']}. {facts['data_licence']}"
            )


def short_runs(measured):
    """Lines of a table of `benchmarks/short_runs.py`."""
    yield "| what is done | crops | last loss | val NME, no flip |"
    yield "|---|---|---|---|"
    for name, row in measured.items():
        yield f"| {name} | {row['crops']:,} | {row['loss']:.2f} | {row['val_nme']:.2f} |"


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def sizes():
    """Lines of a table of the networks, each with its card."""
    yield "| card | crop | parameters | multiply-accumulates |"
    yield "|---|---|---|---|"
    for name, folder in sorted(local_presets().items()):
        files = resolve(folder)
        facts, preprocessor = files.json(METADATA) or {}, files.json(PREPROCESSOR)
        if preprocessor and "multiply_accumulates" in facts:
            size, weights = preprocessor["image_size"], f"{facts['parameters'] / 1e6:.1f} M"
            cost = f"{facts['multiply_accumulates'] / 1e9:.2f} G"
            yield f"| [{name}](presets/{name}/README.md) | {size} | {weights} | {cost} |"


def speeds():
    """(folder of a preset, metadata with its measured speed) of the trained presets."""
    measured = read(MEASURED / "benchmarks.json")
    for folder in local_presets().values():
        files = resolve(folder)
        facts, name = files.json(METADATA) or {}, stage_of(files)
        if facts.get("trained") and name in STAGES.values():
            speed = speed_of(name, measured, files.path(ONNX_INT8) is not None)
            yield folder, {**facts, "speed": speed}


def speed_of(name, measured, has_int8):
    """What a card says of the time of a network of `STAGES`."""
    stage, chain = measured["stage"], measured["chain"]["1 faces"]["chain"]
    ms, bare, of_m = (stage[f"{n}, onnxruntime"] for n in (name, "bare", "LOTR-M"))
    processor = measured["machine"]["processor"]
    where = f"one thread of an {processor} (`python benchmarks/inference.py`)"
    if name != "LOTR-M":
        return f"{ms / of_m:.2f} of LOTR-M's time; {where}"
    int8 = f" (int8: {stage[f'{name} int8, onnxruntime']:.1f})" if has_int8 else ""
    return "; ".join([
        f"{ms:.1f} ms a face on onnxruntime{int8}, {ms / bare:.2f} times its bare backbone",
        f"{chain:.0f} ms for a photo of 640x480 with one face, detector included",
        where,
    ])  # fmt: skip


def heading(measured):
    flip = "with" if measured["flip"] else "without"
    where = f"`{measured['data']}`, split {measured['split']}"
    return f"{where}, with ground-truth boxes and {flip} flip averaging, in per cent:"


def fill(text, filled):
    """The text with each known place filled."""
    for name, table in filled.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text = re.sub(pattern, lambda m, t=table: f"{m[1]}{t}\n{m[2]}", text, flags=re.DOTALL)
    return text


@click.command(help=__doc__)
def main():
    for folder, facts in speeds():
        write_json(folder / METADATA, facts)
        write_card(folder)
    filled = tables()
    for name in PAGES:
        path = ROOT / name
        path.write_text(fill(path.read_text(encoding="utf-8"), filled), encoding="utf-8")


if __name__ == "__main__":
    main()
