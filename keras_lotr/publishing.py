"""What makes a folder of weights a preset that one can hand out: metadata, card, a row in the list.

`metadata.json` holds facts that a person writes (title, trained_on, data_licence, licence, limits)
and facts that are filled in here (parameters, weights_sha256, nme and what it was measured on).
"""

import hashlib
import json
import shutil

from keras_lotr.lotr import LOTR
from keras_lotr.presets import (
    METADATA,
    RECIPE,
    RESULTS,
    WEIGHTS,
    local_presets,
    resolve,
    write_json,
)

HISTORY = "history.csv"


def prepare(run, folder, dtype=None):
    """Turn the best weights of a training run into a preset folder.

    Args:
        run: folder that `train` wrote.
        folder: the preset's; files that a person wrote there stay.
        dtype: "float16" halves the weights' file.
    """
    LOTR.from_preset(run / "preset").save_to_preset(folder, dtype)
    shutil.copy(run / "preset" / RECIPE, folder / RECIPE)
    shutil.copy(run / HISTORY, folder / HISTORY)


def preset_table():
    """A line for each local preset: name, landmarks, size, NME, licence, data."""
    rows = [("name", "points", "weights", "NME %", "licence", "data")]
    for name, folder in sorted(local_presets().items()):
        files = resolve(folder)
        facts, config = files.json(METADATA) or {}, files.json("config.json")
        weights = folder / WEIGHTS
        size = f"{weights.stat().st_size / 1e6:.1f} MB" if weights.exists() else "none yet"
        points = str(config["config"]["num_landmarks"])
        nme = f"{facts['nme']:.2f} ({facts['nme_on']})" if "nme" in facts else "-"
        licence = facts.get("licence", "-")
        rows.append((name, points, size, nme, licence, facts.get("trained_on", "-")))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def write_card(folder):
    """Fill in `metadata.json` and write the model card `README.md` from the preset's files.

    Returns:
        The path of the card.

    Raises:
        ValueError: if a fact that a person must write is missing.
    """
    files = resolve(folder)
    facts = files.json(METADATA) or {}
    missing = [
        k for k in ("title", "trained_on", "data_licence", "licence", "limits") if k not in facts
    ]
    if missing:
        raise ValueError(
            f"Expected {missing} in {folder / METADATA}: only a person can write these."
        )
    model = LOTR.from_preset(folder, load_weights=False)
    facts["parameters"] = model.count_params()
    weights, results = files.path(WEIGHTS), files.json(RESULTS)
    facts["trained"] = weights is not None
    if weights is not None:
        facts["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    if results is not None:
        facts["nme"] = results["nme"]
        facts["nme_on"] = f"{results['data']} {results['split']}"
    write_json(folder / METADATA, facts)
    card = folder / "README.md"
    card.write_text(_card(folder.name, facts, results, model.crop_contract), encoding="utf-8")
    return card


def _card(name, facts, results, contract):
    front = {
        "library_name": "keras-lotr",
        "pipeline_tag": "keypoint-detection",
        "license": "apache-2.0" if facts["licence"] == "Apache-2.0" else "other",
        "license_name": facts["licence"],
        "tags": ["keras", "face-landmarks", "face-alignment", "lotr"],
    }
    lines = ["---", *(f"{key}: {json.dumps(value)}" for key, value in front.items()), "---"]
    lines += ["", f"# {name}", "", facts["title"], ""]
    if facts["trained"]:
        lines += [
            "```python",
            "import keras_lotr",
            f'landmarker = keras_lotr.FaceLandmarker.from_preset("{name}")',
            'faces = landmarker("photo.jpg")',
            "```",
        ]
    else:
        lines += [
            "Nobody has trained these weights yet. The network and its recipe are here:",
            "",
            "```",
            f"keras-lotr train {name} --data FOLDER",
            "```",
        ]
    lines += [
        "",
        f"- landmarks: {contract.scheme}",
        f"- crop: {contract.image_size} pixels, {contract.margin} times the longer side of the box "
        "around the landmarks, RGB 0..255",
        f"- parameters: {facts['parameters']:,}",
        f"- {'trained' if facts['trained'] else 'to be trained'} on: {facts['trained_on']}",
        f"- licence of the weights: {facts['licence']}. {facts['data_licence']}",
        "",
        "## Limits",
        "",
        facts["limits"],
    ]
    if results is not None:
        flip = "with" if results["flip"] else "without"
        lines += [
            "",
            "## Results",
            "",
            f"`{results['data']}`, split {results['split']}, true boxes, {flip} flip averaging, in "
            "per cent:",
            "",
            *results_table(results),
        ]
    lines += [
        "",
        "## Citation",
        "",
        "Watchareeruetai et al., LOTR: Face Landmark Localization Using Localization Transformer, "
        "IEEE Access 10, 2022. This network is an independent implementation.",
    ]
    return "\n".join(lines) + "\n"


def results_table(results):
    """Lines of a Markdown table of the content of a results.json."""
    yield "| faces | number | NME | FR@8 | FR@10 | AUC@8 | AUC@10 |"
    yield "|---|---|---|---|---|---|---|"
    for name, part in {"all": results, **results["subsets"]}.items():
        rates, areas = part["failure_rate"], part["auc"]
        yield (
            f"| {name} | {part['faces']} | {part['nme']:.2f} | {rates['8']:.2f} "
            f"| {rates['10']:.2f} | {areas['8']:.2f} | {areas['10']:.2f} |"
        )
    yield ""
    regions = ", ".join(f"{region} {nme:.2f}" for region, nme in results["regions"].items())
    yield f"NME by region: {regions}."
