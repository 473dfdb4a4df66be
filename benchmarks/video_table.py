"""What `video.py` measured, as Markdown."""

WAYS = {
    "each frame alone": "each frame alone",
    "tracked, off": "followed, `off`",
    "tracked, light": "followed, `light`",
    "tracked, strong": "followed, `strong`",
    "tracked, page": "followed on the page",
    "MediaPipe": "MediaPipe 0.10.21, face mesh",
}
KINDS = {
    "cross": "clips of two faces that cross",
    "occlude": "clips in which two faces are covered, one after the other",
    "hand": "clips with a board before a face",
    "cut": "clips with a cut",
}
MEASURES = ("nme", "inner", "jitter", "jitter ratio", "lag", "blink depth")


def video_table(results):
    """Tables and sentences for docs/video.md."""
    lines = [
        f"In {results['clips']} clips of one face, in per cent of the distance of the outer eye "
        "corners; a blink is 1 where eyes close as far as the true ones:",
        "",
        "| preset | | NME | inner 51 | jitter | of each frame alone | lag, frames | blink |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = {}  # MediaPipe's is the same beside each preset
    for preset, measured in results["presets"].items():
        for way, row in measured["one_face"]["all"].items():
            own = way != "MediaPipe"
            rows[preset if own else "", way] = row if own else {**row, "jitter ratio": None}
    for (preset, way), row in rows.items():
        cells = ("-" if row.get(name) is None else f"{row[name]:.2f}" for name in MEASURES)
        lines.append(f"| {' | '.join([preset, WAYS[way], *cells])} |")
    for preset, measured in results["presets"].items():
        still = measured["one_face"].get("still")
        lines += ["", f"`{preset}`:", ""]
        if still:
            light = still["tracked, light"]["jitter ratio"]
            lines.append(f"- **At rest**, `light` leaves {light:.2f} of the jitter.")
        lines += of_truth(measured["smoothing_of_the_truth"])
        lines += [who(measured["who_is_who"]), nobody(measured["who_is_who"])]
        lines += [times(measured["speed_ms"])]
    memory = results["memory"]
    grown = f"{memory['grown_mb']} MB" if memory["grown_mb"] > 0 else "nothing"
    lines += ["", f"Memory grows by {grown} over {memory['frames']:,} frames."]
    return "\n".join(lines)


def of_truth(measured):
    """What smoothing alone does to true landmarks."""
    for smooth, row in measured.items():
        yield (
            f"- **True landmarks, smoothed** (`{smooth}`): a blink keeps "
            f"{row['blink depth, at least']:.0%} of its depth or more, is shut at most "
            f"{row['blink late, frames, at most']:.1f} frames late, and a fast turn lags by at "
            f"most {row['lag, frames, at most']:.2f} frames."
        )


def who(measured):
    """How often a number changes."""
    rows = "; ".join(
        f"{measured[kind]['switches']} in {measured[kind]['clips']} {words}"
        for kind, words in KINDS.items()
        if kind in measured
    )
    return f"- **Changes of a face's number**: {rows}."


def nobody(measured):
    """How often something else was taken for a face."""
    rows = "; ".join(
        f"{measured[kind]['none of the faces']} ({measured[kind]['none, each frame alone']}) in "
        f"the {measured[kind]['clips']} {words}"
        for kind, words in KINDS.items()
        if kind in measured
    )
    return f"- **Found where no face is**, in single frames (each frame alone): {rows}."


def times(ms):
    """Milliseconds of a frame."""
    cells = []
    for name, words in SETTINGS.items():
        mesh = ms.get(f"{name} / MediaPipe")
        beside = f" ({mesh:.2f} times MediaPipe's mesh)" if mesh else ""
        cells.append(f"{ms[name]:.1f} {words}{beside}")
    ratios = [f"{ms[f'{name}, four faces / one']:.2f}" for name in SETTINGS]
    return (
        f"- **Time** of a frame of 640 x 480, one thread: {ms['each frame alone']:.1f} ms alone, "
        f"{', '.join(cells)}. The detector takes {ms[DETECTOR]:.0%} of it with "
        f"`min_face_size=0.2`. Four faces take {', '.join(ratios[:-1])} and {ratios[-1]} times as "
        "long as one."
    )


SETTINGS = {
    "tracked": "followed",
    "tracked, portrait": "with `min_face_size=0.2`",
    "tracked, fastest": 'with `precision="auto"` as well',
}
DETECTOR = "tracked, portrait, detector's share"
