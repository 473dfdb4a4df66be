"""Fill the tables of README.md and MODEL_CARD.md from the presets' files.

    python docs/make_tables.py

A table stands between `<!-- name -->` and `<!-- /name -->`; nothing in between is typed by hand.
"""

import re
from pathlib import Path

from keras_lotr.presets import RESULTS, local_presets, resolve
from keras_lotr.publishing import preset_table, results_table

ROOT = Path(__file__).parent.parent


def tables():
    """{name of the place: Markdown}."""
    results = []
    for name, folder in sorted(local_presets().items()):
        measured = resolve(folder).json(RESULTS)
        if measured is not None:
            results += [f"**{name}**, on {heading(measured)}", "", *results_table(measured), ""]
    return {"presets": f"```\n{preset_table()}\n```", "results": "\n".join(results).rstrip()}


def heading(measured):
    flip = "with" if measured["flip"] else "without"
    where = f"`{measured['data']}`, split {measured['split']}"
    return f"{where}, true boxes, {flip} flip averaging, per cent:"


def fill(text, filled):
    """The text with each known place filled."""
    for name, table in filled.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text = re.sub(pattern, lambda m, t=table: f"{m[1]}{t}\n{m[2]}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    filled = tables()
    for name in ("README.md", "MODEL_CARD.md"):
        path = ROOT / name
        path.write_text(fill(path.read_text(encoding="utf-8"), filled), encoding="utf-8")
