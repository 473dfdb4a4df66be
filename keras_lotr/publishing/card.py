"""The text of a preset's model card, README.md, from its files."""

from keras_lotr.lotr import LOTR
from keras_lotr.presets.files import ONNX
from keras_lotr.presets.preset import RECIPE
from keras_lotr.publishing.card_checks import read_recipe, read_results
from keras_lotr.publishing.card_metadata import front_matter
from keras_lotr.training.recipe import can_be_had

MARK = "<!-- written by keras-lotr card -->"
SCHEME_PICTURE, SAMPLES_PICTURE = "scheme.png", "samples.jpg"

_CHOOSE_BACKEND = 'os.environ["KERAS_BACKEND"] = "tensorflow"  # or "jax", "torch"'
_BIBTEX = """```bibtex
@article{watchareeruetai2022lotr,
  title = {{LOTR}: Face Landmark Localization Using Localization Transformer},
  author = {Watchareeruetai, Ukrit and others},
  journal = {IEEE Access},
  volume = {10},
  pages = {16530--16543},
  year = {2022},
  note = {arXiv:2109.10057}
}
```"""


def card(name, files, facts, model, pictures):
    """The text of the card.

    Args:
        name: what `from_preset` is to be called with.
        files: `PresetFiles` of a local preset.
        facts: see `complete_facts`.
        model: its network.
        images: the filenames of what lies beside the card.
    """
    title = name.rpartition("/")[2]
    detector = not isinstance(model, LOTR)
    sections = [
        f"---\n{front_matter(title, files, facts, model)}\n---\n{MARK}",
        f"# {title}",
        facts["title"],
        _picture(SAMPLES_PICTURE, "Landmarks that it finds on rendered faces", pictures),
        "## Use",
        *(_use(name, model, ONNX in pictures) if facts["trained"] else [_not_trained(name)]),
        "## Input and output",
        _detector_preprocessor() if detector else _preprocessor(model),
        _picture(SCHEME_PICTURE, "The numbers of the landmarks", pictures),
        "## Size and speed",
        _size(facts),
        *_results(files, facts),
        "## Training data, and what it allows",
        f"{'Trained' if facts['trained'] else 'To be trained'} on: {facts['trained_on']}. Licence "
        f"of the weights: {facts['licence']}. {_sentence(facts['data_licence'])}",
        *_recipe(name, files),
        "## Limits",
        _sentence(facts["limits"]),
        f"Demographics: {_sentence(facts.get('people', 'not measured'))}",
        "Not for identifying people, nor for inferring emotion, health, origin or character.",
        *([] if detector else ["## Citation", _citation()]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


# === Sections ===
def _picture(filename, caption, pictures):
    return f"![{caption}]({filename})" if filename in pictures else ""


def _use(name, model, with_onnx):
    if isinstance(model, LOTR):
        lines = [
            f'landmarker = keras_lotr.FaceLandmarker.from_preset("{name}")',
            f'faces = landmarker("photo.jpg")  # faces[0].points: ({model.num_landmarks}, 2), '
            "image pixels",
        ]
    else:
        lines = [
            "from keras_lotr.images.reading import read_image",
            f'detect = keras_lotr.FaceDetector.from_preset("{name}")',
            'faces = detect(read_image("photo.jpg"))  # boxes, five points and scores',
        ]
        yield "\n".join(["```python", "import keras_lotr", *lines, "```"])
        runs = "onnxruntime or OpenCV runs it, whatever the backend."
        yield f"{runs} `FaceLandmarker` takes it by default."
        return
    yield "\n".join(["```python", "import os", _CHOOSE_BACKEND, "import keras_lotr", *lines, "```"])
    yield (
        '`pip install "keras-lotr[tensorflow]"`, `[jax]` or `[torch]` brings the backend; the '
        "results are the same on all three."
    )
    if with_onnx:
        yield (
            f'`from_preset("{name}", engine="onnxruntime")` runs `{ONNX}` instead, without a '
            'backend: `pip install "keras-lotr[runtime]"`.'
        )


def _not_trained(name):
    return (
        "**Nobody has trained these weights yet.** The network and its recipe are here; whoever "
        f"has the data trains them:\n\n```\nkeras-lotr train {name} --data FOLDER\n```"
    )


def _preprocessor(model):
    preprocessor = model.preprocessor
    size = preprocessor.image_size
    return (
        f"- in: crops (B, {size}, {size}, 3), RGB 0..255, each with one face; a square of "
        f"{preprocessor.margin} times the longer side of the box around the landmarks\n"
        f"- out: ({model.num_landmarks}, 2) x, y in crop pixels, integers are pixel centres, in "
        f"the order of `{preprocessor.scheme}`\n"
        "- `FaceLandmarker` finds faces, crops, and leads back to image pixels"
    )


def _detector_preprocessor():
    return (
        "- in: a photo (H, W, 3), RGB 0..255\n"
        "- out: boxes x0, y0, x1, y1, five points (eyes, nose tip, mouth corners) and a score"
    )


def _size(facts):
    lines = [f"- parameters: {facts['parameters']:,}"]
    if "multiply_accumulates" in facts:
        lines.append(
            f"- multiply-accumulates: {facts['multiply_accumulates'] / 1e9:.2f} G per face"
        )
    lines.append(f"- speed: {facts.get('speed', 'not measured')}")
    return "\n".join(lines)


def _results(files, facts):
    results = read_results(files)
    if results is None:
        return
    yield "## Results"
    if "recall" in results:
        yield _detector_results(results)
        return
    flip = "with" if results["flip"] else "without"
    labels = f"labels of {source}, " if (source := results.get("converted_from")) else ""
    yield (
        f"On {facts.get('evaluated_on', results['data'])} (`{results['data']}`, split "
        f"{results['split']}), {labels}ground-truth boxes, {flip} flip averaging, normalised by "
        f"{results['normalizer'].replace('_', ' ')}, in per cent:"
    )
    yield "\n".join(results_table(results))


def _detector_results(results):
    false, times = results["false_faces_per_photo"], results["milliseconds"]
    distance = results["median_point_distance"]
    lines = [
        f"On {results['photos']} photos that it has not seen, beside its teacher YuNet "
        "(`benchmarks/face_detector.py`):",
        "",
        f"- recall of the {results['confident_faces']} faces of at least 24 pixels that YuNet is "
        f"sure of (score 0.8): {results['recall']:.1f} %",
        "- false faces per photo (YuNet does not see them, even in the mirrored or enlarged "
        f"photo): {false['embedded']:.3f} (YuNet's own: {false['yunet']:.3f})",
        f"- median distance of the five points from YuNet's: {distance['embedded']:.1f} % of the "
        f"box (of YuNet's own in the mirrored photo: {distance['yunet mirrored']:.1f} %)",
        *(
            f"- {size} pixels, one thread: {ms['embedded']:.1f} ms (YuNet {ms['yunet']:.1f})"
            for size, ms in times.items()
            if "x" in size and isinstance(ms, dict)
        ),
    ]
    if "landmarks" in results:
        cost = results["landmarks"]["embedded"]
        lines.append(
            f"- {cost['found']:.1f} % of {results['landmarks']['faces']} annotated faces found; "
            f"NME of lotr_m_68 {cost['nme']:.2f} % with its boxes, "
            f"{cost['nme_true_boxes']:.2f} % with ground-truth ones"
        )
    return "\n".join(lines)


def results_table(results):
    """Lines of a Markdown table of the content of a results.json."""
    yield "| faces | number | NME | FR@8 | FR@10 | AUC@8 | AUC@10 |"
    yield "|---|---|---|---|---|---|---|"
    for name, part in {"all": results, **results["subsets"]}.items():
        rates, areas = part["failure_rate"], part["auc"]
        yield (
            f"| {name} | {part['faces']} | {nme_with_error(part)} | {rates['8']:.2f} "
            f"| {rates['10']:.2f} | {areas['8']:.2f} | {areas['10']:.2f} |"
        )
    yield ""
    regions = ", ".join(f"{region} {nme:.2f}" for region, nme in results["regions"].items())
    yield f"NME by region: {regions}."
    halves = results.get("nme_of_halves", ())
    if halves and None not in halves:
        yield "Two halves of the faces, every other one, have {:.2f} and {:.2f}.".format(*halves)


def nme_with_error(part):
    """The NME of all faces or of a subset, and its standard error if the results have it."""
    error = part.get("nme_error")
    return f"{part['nme']:.2f}" if error is None else f"{part['nme']:.2f} ± {error:.2f}"


def _recipe(name, files):
    recipe = read_recipe(files)
    if recipe is None:
        return
    command, start = f"keras-lotr train {name} --data FOLDER", recipe.get("init")
    if "teacher" in recipe:
        command = "keras-lotr train-detector --photos A --held-out B --teacher YUNET.onnx"
    elif recipe.get("mixture"):
        names = sorted({name for group in recipe["mixture"] for name in group["data"]})
        command = f"keras-lotr train {name} " + " ".join(f"--data {n}=FOLDER" for n in names)
    if start and not can_be_had(start):
        command += " --initial-weights PRESET"
    yield f"## Recipe\n\n```\n{command}\n```"
    if recipe.get("mixture"):
        groups = ", ".join(group["name"] for group in recipe["mixture"])
        yield (
            f"One training of several landmark orders makes a preset for each of {groups}. Without "
            "names of data sets, `--data FOLDER` takes these settings for your own faces alone."
        )
    if start and not can_be_had(start):
        yield (
            f"This is the last stage of a training: it went on from {start}, which is not "
            "published, so the command needs a preset to start from."
        )
    elif start:
        yield f"It starts from `{start}`."
    notes = _sentence(recipe["notes"]) if recipe.get("notes") else ""
    yield f"The numbers are in `{RECIPE}`. {notes}".rstrip()


def _citation():
    return (
        "The network is an independent implementation of "
        "[arXiv:2109.10057](https://arxiv.org/abs/2109.10057):\n\n" + _BIBTEX
    )


def _sentence(text):
    return text if text.endswith((".", "!", "?")) else f"{text}."
