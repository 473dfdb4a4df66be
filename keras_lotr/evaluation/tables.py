"""`keras-lotr report table`: results beside the published ones, in the layout of the paper.

The published numbers are those of `published.json`, each row with its source.
"""

import json
from pathlib import Path

from keras_lotr.presets.files import read_json
from keras_lotr.schemes import get_scheme, named_scheme
from keras_lotr.training.run_files import BEST

METRICS = {"nme": "NME", "failure_rate": "FR", "auc": "AUC"}
PUBLISHED = Path(__file__).with_name("published.json")


class NoResults(ValueError):
    """A JSON file of another kind."""


def read_results(path):
    """The content of a `results.json` that `keras-lotr evaluate --output` wrote.

    Raises:
        FileNotFoundError, ValueError: naming the file, if it is missing or no JSON.
        NoResults: it is a JSON file of another kind; a ValueError.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected results of `keras-lotr evaluate`. There is no {path}.")
    results = read_json(path)
    wrong = missing(results)
    if wrong:
        raise NoResults(
            f"Expected results of `keras-lotr evaluate --output` in {path}. It lacks {wrong}."
        )
    return results


def missing(results):
    """What the content of a `results.json` lacks, or has of another kind, of what is shown of it.

    Example:

    >>> part = {"faces": 2, "nme": 4.5, "failure_rate": {"8": 0, "10": 0}, "auc": {"8": 50}}
    >>> names = dict.fromkeys(("preset", "data", "split", "scheme", "normalizer"), "x")
    >>> missing({**part, **names, "flip": False, "regions": {"eyes": 2.5}, "subsets": {}})
    ['auc']
    """
    results = results if isinstance(results, dict) else {}
    names = ("preset", "data", "split", "normalizer")
    subsets = results.get("subsets")
    right = {
        **{name: isinstance(results.get(name), str) for name in names},
        "scheme": isinstance(results.get("scheme"), str | dict),
        **_right_parts(results),
        "flip": isinstance(results.get("flip"), bool),
        "regions": _is_numbers(results.get("regions")),
        "subsets": isinstance(subsets, dict)
        and all(isinstance(s, dict) and all(_right_parts(s).values()) for s in subsets.values()),
    }
    return sorted(name for name, is_right in right.items() if not is_right)


def _right_parts(part):
    """Whether the numbers of all faces, or of one subset, are there."""
    return {
        **{name: isinstance(part.get(name), int | float) for name in ("faces", "nme")},
        **{name: _is_numbers(part.get(name), ("8", "10")) for name in ("failure_rate", "auc")},
    }


def _is_numbers(values, keys=()):
    """Whether it is {name: number}, with these names among them."""
    is_dict = isinstance(values, dict) and set(keys) <= set(values)
    return is_dict and all(isinstance(value, int | float) for value in values.values())


def tables(all_results):
    """Markdown tables of results, one for each landmark scheme.

    98 landmarks are set out as in the paper's Table 2 (WFLW and its six subsets, FR and AUC at
    10 %), 106 as in Table 3 (JD-landmark, at 8 %), beside the published rows; any other scheme
    with its own subsets, at 8 and at 10 %.

    Args:
        all_results: list of dicts, each the content of a `results.json`.

    Returns:
        Markdown text.

    Example:

    >>> rates = {"8": 3.0, "10": 0.5}
    >>> print(tables([{"preset": "mine", "data": "faces", "split": "val", "faces": 200,
    ...     "flip": True, "scheme": "ibug68", "nme": 4.363, "failure_rate": rates,
    ...     "auc": rates, "subsets": {}}]))
    **ibug68**, in per cent:
    <BLANKLINE>
    | metric | model | faces | all |
    |---|---|---|---|
    | NME | mine (flip) | faces val, 200 | 4.36 |
    | FR@8 | mine (flip) | faces val, 200 | 3.00 |
    | FR@10 | mine (flip) | faces val, 200 | 0.50 |
    | AUC@8 | mine (flip) | faces val, 200 | 3.00 |
    | AUC@10 | mine (flip) | faces val, 200 | 0.50 |
    """
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    papers = {table["scheme"]: table for table in published["tables"]}
    texts = []
    for scheme in dict.fromkeys(named_scheme(results["scheme"]) for results in all_results):
        ours = [r for r in all_results if named_scheme(r["scheme"]) == scheme]
        if scheme in papers:
            texts.append(_paper_table(papers[scheme], ours, published["sources"]))
        else:
            texts.append(_plain_table(scheme, ours))
    return "\n\n".join(texts)


def _paper_table(table, ours, sources):
    """Published rows and ours, and what the published rows rest on."""
    lines = [
        f"**Table {table['table']}: {table['title']}**, in per cent, FR and AUC at "
        f"{table['threshold']} %. Empty: no source at hand gives it.",
        "",
        *_head(table["subsets"]),
    ]
    for metric, name in METRICS.items():
        for row in table["rows"]:
            values = [row.get(metric, {}).get(subset) for subset in table["subsets"]]
            lines.append(_row(name, row["method"], table["title"], values))
        for results in ours:
            values = _values(results, table["subsets"], metric, str(table["threshold"]))
            lines.append(_row(name, _model(results), _faces(results), values))
    lines += ["", "Only rows measured on the same faces can be compared. Sources:", ""]
    lines += [
        f"- {row['method']}: {'; '.join(sources[key] for key in row['sources']) or 'none found'}"
        for row in table["rows"]
    ]
    return "\n".join(lines)


def _plain_table(scheme, ours):
    subsets = ["all", *sorted({name for results in ours for name in results["subsets"]})]
    lines = [f"**{scheme}**, in per cent:", "", *_head(subsets)]
    kinds = [("nme", None), *((m, t) for m in ("failure_rate", "auc") for t in ("8", "10"))]
    for metric, threshold in kinds:
        name = METRICS[metric] + (f"@{threshold}" if threshold else "")
        for results in ours:
            values = _values(results, subsets, metric, threshold)
            lines.append(_row(name, _model(results), _faces(results), values))
    return "\n".join(lines)


def _head(subsets):
    columns = ["metric", "model", "faces", *subsets]
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def _row(*cells_and_values):
    *cells, values = cells_and_values
    numbers = ["" if value is None else f"{value:.2f}" for value in values]
    return f"| {' | '.join([*cells, *numbers])} |"


def _values(results, subsets, metric, threshold):
    parts = {"all": results, **results["subsets"]}
    found = [parts.get(subset, {}).get(metric) for subset in subsets]
    return [value.get(threshold) if isinstance(value, dict) else value for value in found]


def _model(results):
    """The name of a preset, or of the run whose best weights it is."""
    path = Path(results["preset"])
    name = path.parent.name if path.name == BEST and path.parent.name else path.name
    return f"{name}{' (flip)' if results.get('flip') else ''}"


def _faces(results):
    """Which faces, and in what their measure is not that of other rows."""
    notes = [*results.get("only", ())]
    if results.get("converted_from"):
        notes.append(f"labels of {results['converted_from']}")
    if results.get("normalizer", own := get_scheme(results["scheme"]).normalizer) != own:
        notes.append(f"by {results['normalizer']}")
    if results.get("boxes", "ground-truth") != "ground-truth":
        notes.append(f"boxes of the {results['boxes']}")
    where = f"{results['data']} {results['split']}"
    return ", ".join([where, *notes, str(results["faces"])])
