"""What a card is written from may have been typed by hand: metadata, results, recipe."""

from keras_lotr.evaluation.tables import missing
from keras_lotr.number_checks import real
from keras_lotr.presets.files import DETECTOR, METADATA, RECIPE, RESULTS

_TEXTS = (
    *("title", "trained_on", "data_licence", "licence", "limits", "people", "evaluated_on"),
    *("speed", "nme_on"),
)
_NAMES = ("datasets", "base_model")


def read_facts(files):
    """The content of `metadata.json` of a preset, {} if it has none.

    Raises:
        ValueError: it is of another form than a card needs.
    """
    facts = files.json_object(METADATA) or {}
    bad = [key for key in _TEXTS if key in facts and not isinstance(facts[key], str)]
    bad += [key for key in _NAMES if key in facts and not _is_names(facts[key])]
    if bad:
        raise ValueError(f"Expected text for {', '.join(bad)} in {METADATA} of {files.name}.")
    return facts


def read_results(files):
    """The content of `results.json` of a preset, None if it has none.

    Raises:
        ValueError: it is not what `keras-lotr evaluate` writes, of a face detector what
            `benchmarks/face_detector.py` writes.
    """
    results = files.json(RESULTS)
    if results is None:
        return None
    wrong, writer = missing(results), "keras-lotr evaluate --output"
    if files.kind == DETECTOR:
        wrong, writer = _missing_of_detector(results), "benchmarks/face_detector.py"
    if wrong:
        raise ValueError(
            f"Expected results of `{writer}` in {RESULTS} of {files.name}. It lacks {wrong}."
        )
    return results


def _missing_of_detector(results):
    """What the results of a face detector lack, or have of another kind, of what a card shows."""
    results = results if isinstance(results, dict) else {}
    times, landmarks = results.get("milliseconds"), results.get("landmarks")
    right = {
        **{name: _are_numbers(results, name) for name in ("photos", "confident_faces", "recall")},
        "false_faces_per_photo": _are_numbers(
            results.get("false_faces_per_photo"), "embedded", "yunet"
        ),
        "median_point_distance": _are_numbers(
            results.get("median_point_distance"), "embedded", "yunet mirrored"
        ),
        "milliseconds": isinstance(times, dict)
        and all(_are_numbers(t, "embedded", "yunet") for t in times.values() if type(t) is dict),
        "landmarks": landmarks is None
        or _are_numbers(landmarks, "faces")
        and _are_numbers(landmarks.get("embedded"), "found", "nme", "nme_true_boxes"),
    }
    return sorted(name for name, is_right in right.items() if not is_right)


def _are_numbers(values, *names):
    return isinstance(values, dict) and all(real(values.get(n)) is not None for n in names)


def read_recipe(files):
    """The content of `recipe.json` of a preset, None if it has none.

    Raises:
        ValueError: it is of another form than a card needs.
    """
    recipe = files.json_object(RECIPE)
    if recipe is None:
        return None
    bad = [key for key in ("init", "notes") if not isinstance(recipe.get(key) or "", str)]
    groups = recipe.get("mixture") or []
    if not isinstance(groups, list) or not all(map(_is_group, groups)):
        bad.append("mixture")
    if bad:
        raise ValueError(
            f"Expected the form of a recipe for {', '.join(bad)} in {RECIPE} of {files.name}."
        )
    return recipe


def _is_group(group):
    named = isinstance(group, dict) and isinstance(group.get("name"), str)
    return named and isinstance(group.get("data"), list) and _is_names(group["data"])


def _is_names(value):
    names = [value] if isinstance(value, str) else value
    return isinstance(names, list) and all(isinstance(name, str) for name in names)
