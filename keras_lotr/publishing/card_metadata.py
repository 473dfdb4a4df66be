"""The facts of a model card, counted and written, and the metadata that the Hub reads.

`metadata.json` holds facts that a person writes (`WRITTEN`, and where there is something to say
`people`, `evaluated_on`, `speed`, `datasets`, `base_model`) and facts that are filled in here:
parameters, multiply_accumulates, weights_sha256, trained, nme and what it was measured on.
"""

import re

from keras_lotr.detector_training.network import DetectorNetwork
from keras_lotr.evaluation.macs import multiply_accumulates
from keras_lotr.lotr import LOTR
from keras_lotr.presets.files import DETECTOR
from keras_lotr.presets.hub import sha256_of
from keras_lotr.presets.preset import METADATA, WEIGHTS, build, read_config
from keras_lotr.publishing.card_checks import read_facts, read_results

WRITTEN = ("title", "trained_on", "data_licence", "licence", "limits")
NOT_STATED = "not stated by the author"

_LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "CC0-1.0": "cc0-1.0", NOT_STATED: "unknown"}


def model_class(files):
    """`LOTR`, or `DetectorNetwork` for the preset of a face detector."""
    return DetectorNetwork if files.kind == DETECTOR else LOTR


def untrained_model(files):
    """The network of a local preset without its weights."""
    kind = model_class(files)
    if kind is LOTR:
        return LOTR.from_preset(files.folder, load_weights=False)
    return build(kind, read_config(files, kind), files)


def complete_facts(files, model, strict=True):
    """The content of `metadata.json`: what is written there, and what can be counted.

    Args:
        files: `PresetFiles` of a local preset.
        model: its network.
        strict: facts that only a person knows must be there; else they are `NOT_STATED`.

    Raises:
        ValueError: if one is missing.
    """
    facts = read_facts(files)
    missing = [name for name in WRITTEN if name not in facts]
    if missing and strict:
        raise ValueError(
            f"Expected {missing} in {files.folder / METADATA}: only a person can write these."
        )
    facts = {**dict.fromkeys(missing, NOT_STATED), **facts}
    facts["parameters"] = model.count_params()
    if isinstance(model, LOTR):
        facts["multiply_accumulates"] = multiply_accumulates(model)["total"]
    results, weights = read_results(files), files.folder / WEIGHTS
    facts["trained"] = weights.is_file() or WEIGHTS in files.sha256
    if weights.is_file():
        facts["weights_sha256"] = sha256_of(files.path(WEIGHTS))
    if results is not None and "nme" in results:
        facts["nme"] = results["nme"]
        facts["nme_on"] = f"{results['data']} {results['split']}"
    return facts


def front_matter(title, files, facts, model):
    """YAML of the metadata that the Hub reads, without the dashes around it."""
    from huggingface_hub import ModelCardData

    detector, results = not isinstance(model, LOTR), read_results(files)
    licence = _LICENCES.get(facts["licence"], "other")
    kind = ["face-detection"] if detector else ["face-landmarks", "face-alignment", "lotr"]
    landmarks = (
        [] if detector else [str(model.preprocessor.scheme), f"{model.num_landmarks}-landmarks"]
    )
    measured = _eval_results(results, facts) if results and not detector else None
    return ModelCardData(
        license=licence,
        license_name=_slug(facts["licence"]) if licence == "other" else None,
        library_name="keras-lotr",
        pipeline_tag="object-detection" if detector else "keypoint-detection",
        tags=["keras", *kind, *landmarks],
        datasets=facts.get("datasets"),
        base_model=facts.get("base_model"),
        metrics=["nme", "failure-rate", "auc"] if measured else None,
        model_name=title if measured else None,
        eval_results=measured,
    ).to_yaml()


def _eval_results(results, facts):
    """Each number of a results.json, per cent, for the card's model-index."""
    from huggingface_hub import EvalResult

    where = {
        "task_type": "keypoint-detection",
        "task_name": "Facial landmark detection",
        "dataset_type": _slug(results["data"]),
        "dataset_name": facts.get("evaluated_on", results["data"]),
        "dataset_split": results["split"],
    }
    found = []
    for subset, part in {"all": results, **results["subsets"]}.items():
        numbers = [("nme", f"NME by {results['normalizer'].replace('_', ' ')}", part["nme"])]
        for kind, key, title in (
            ("failure-rate", "failure_rate", "failure rate at"),
            ("auc", "auc", "area under the CED up to"),
        ):
            numbers += [(kind, f"{title} {t} %", value) for t, value in part[key].items()]
        if subset == "all":
            numbers += [("nme", f"NME of {region}", v) for region, v in results["regions"].items()]
        for kind, name, value in numbers:
            name = f"{name}, in per cent"
            metric = {"metric_type": kind, "metric_name": name, "metric_value": value}
            found.append(EvalResult(**where, dataset_config=subset, **metric))
    return found


def _slug(text):
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")
