"""What a card is written from may have been typed by hand: `metadata.json`, `results.json`."""

from keras_lotr.evaluation.tables import missing
from keras_lotr.presets.files import METADATA, RESULTS

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
    facts = files.json(METADATA)
    facts = {} if facts is None else facts
    if not isinstance(facts, dict):
        raise ValueError(f"Expected an object in {METADATA} of {files.name}.")
    bad = [key for key in _TEXTS if key in facts and not isinstance(facts[key], str)]
    bad += [key for key in _NAMES if key in facts and not _is_names(facts[key])]
    if bad:
        raise ValueError(f"Expected text for {', '.join(bad)} in {METADATA} of {files.name}.")
    return facts


def read_results(files):
    """The content of `results.json` of a preset, None if it has none.

    Raises:
        ValueError: it is neither what `keras-lotr evaluate` nor what `benchmarks/face_detector.py`
            writes.
    """
    results = files.json(RESULTS)
    if results is None or isinstance(results, dict) and "recall" in results:
        return results
    wrong = missing(results)
    if wrong:
        raise ValueError(
            f"Expected results of `keras-lotr evaluate --output` in {RESULTS} of {files.name}. "
            f"It lacks {wrong}."
        )
    return results


def _is_names(value):
    names = [value] if isinstance(value, str) else value
    return isinstance(names, list) and all(isinstance(name, str) for name in names)
