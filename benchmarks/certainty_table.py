"""The tables of docs/certainty.md: how true it is, how long it takes."""

EASY = ("helen", "lfpw", "afw")
SETS = {"300-W": EASY, "CFP": ("cfp",), "WFLW": ("wflw",), "AFLW at 80 pixels": ("aflw80",)}


def certainty_table(measured):
    """Lines of Markdown: what `keras-lotr report certainty` measured.

    Args:
        measured: results files, one for each preset.
    """
    measured = list(measured)
    columns = [dict(_rows(results)) for results in measured]
    names = [f"`{results['preset']}`" for results in measured]
    yield f"| | {' | '.join(names)} |"
    yield "|---" * (1 + len(columns)) + "|"
    for name in columns[0]:
        yield f"| {name} | {' | '.join(column[name] for column in columns)} |"


def cost_table(results):
    """Lines of Markdown: what `certainty_cost.py` measured."""
    yield "| preset | ms with the head | ms without it | the head, of the whole |"
    yield "|---|---|---|---|"
    for preset, ms in results["ms"].items():
        share = 100 * (1 - ms["without"] / ms["with"])
        yield f"| `{preset}` | {ms['with']:.2f} | {ms['without']:.2f} | {share:.1f} % |"


def _rows(results):
    """Pairs of what was measured and its value."""
    sets, pose, ranking = results["sets"], results["pose"], results["ranking"]
    for name, parts in SETS.items():
        found, mark = _named(sets, parts)
        faces = sum(part["faces"] for part in found)
        covered = sum(part["faces"] * part["coverage"]["0.9"] for part in found) / faces
        yield f"true landmarks in the ellipses of 90 %: {name}", f"{covered:.1f} %{mark}"
    (wflw,), mark = _named(sets, ("wflw",))
    yield "correlation of expected and true error: WFLW", f"{wflw['correlation']:.2f}{mark}"
    seen = {n: _named(sets, (n,))[0][0]["visibility"] for n in ("cfp", "aflw80", "rendered")}
    hidden = [seen[name]["auc_hidden"] for name in ("cfp", "aflw80")]
    yield "seen against hidden by the face, area under the ROC: CFP / AFLW", _both(hidden, ".2f")
    covered = [seen[name]["auc_covered"] for name in ("aflw80", "rendered")]
    yield "seen against covered: AFLW / rendered faces", _both(covered, ".2f")
    profiles = seen["cfp"]["profiles"]
    shares = [profiles[name] for name in ("hidden_below_half", "seen_above_half")]
    yield "profiles of CFP: hidden below 0.5 / seen above 0.5", _both(shares, ".1f", " %")
    name = "boxes without a face below the quality of the worst tenth of the faces"
    yield name, f"{ranking['false_below_worst_faces']:.1f} %"
    name = "pose of rendered faces up to 60 degrees, mean error"
    yield name, f"{pose['rendered']['mean_error']:.1f} degrees"
    pose = [_named(pose, (name,))[0][0] for name in ("cfp", "aflw80")]
    sides = [found["side_right"] for found in pose]
    yield "turned faces whose side is right: CFP / AFLW", _both(sides, ".0f", " %")
    classes = [found["class_right"] for found in pose]
    yield "frontal, half or profile right, by tags: CFP / AFLW", _both(classes, ".0f", " %")


def _named(sets, names):
    """The results of sets, and " *" if their labels are of another scheme."""
    found = [key for name in names for key in sets if key.split(" (")[0] == name]
    return [sets[key] for key in found], " *" if any("(" in key for key in found) else ""


def _both(values, form, unit=""):
    return " / ".join(f"{value:{form}}{unit}" for value in values)
