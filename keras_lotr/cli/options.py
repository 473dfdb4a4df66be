"""Options that several subcommands have in common."""

import click

from keras_lotr.cli.checks import check_exists, landmark_preset
from keras_lotr.cli.types import NAME, PRESET_NAME, Engine, Number
from keras_lotr.presets.files import ONNX
from keras_lotr.quiet import start_keras
from keras_lotr.writing import check_file_target

# The names of `keras_lotr.datasets.READERS`, which is not imported for a help text.
READERS = ("labels_json", "facesynth", "wflw", "jd106", "coco", "csv", "ibug", "shards")
# Those of `keras_lotr.landmark_scheme` and `keras_lotr.evaluation.evaluation`, likewise.
NORMALIZERS = ("outer_eyes", "box", "interpupil")
BOXES = ("ground-truth", "detector")

engine = click.option(
    "--engine", type=Engine(["auto", "keras", "onnxruntime"]), default="auto",
    show_default=True,
    help="What runs the network. auto: onnxruntime, which starts at once and needs no Keras "
    "(unless errors are measured), where it is installed and the preset has a model.onnx; else "
    "keras.",
)  # fmt: skip
precision = click.option(
    "--precision", type=click.Choice(["float32", "int8", "auto"]),
    help="Of onnxruntime: int8 takes the preset's model_int8.onnx, auto whichever is faster on "
    "this processor [float32].",
)  # fmt: skip
flip = click.option(
    "--flip-test",
    "--flip",
    "flip",
    is_flag=True,
    help="Mean of the landmarks of each face and of its mirror image.",
)
reader = click.option(
    "--data-format", "--reader", "reader", type=click.Choice((*READERS, "kit")),
    help="Format of the data sets [recognised from their files]. labels_json (formerly kit): "
    "images/ and labels.json; facesynth: rendered faces; wflw: WFLW; jd106: JD-landmark; coco: "
    "COCO keypoints; csv: a file image,x0,y0,x1,y1,...; ibug: a tree of .pts files, as 300-W; "
    "shards: of `keras-lotr shard`.",
)  # fmt: skip


def file_with(*endings):
    """The callback of an option that names a file to write, of one of these endings.

    That it cannot be written is told before anything is computed.
    """

    def check(context, parameter, value):
        if value is not None and value.suffix.lower() not in endings:
            raise click.BadParameter(f"Expected a file {', '.join(endings)}. Received: {value}")
        if value is not None and not context.resilient_parsing:
            check_file_target(value)
        return value

    return check


def examples(*lines):
    """The epilog of a command's help: what one can type."""
    return "\b\nExamples:\n" + "\n".join(f"  keras-lotr {line}" for line in lines)


only = click.option(
    "--only", multiple=True, help="Only faces of this set or subset (tag); repeat for more."
)


def annotated_faces(command):
    """PRESET, and the annotated faces that it is measured on."""
    for option in (
        engine,
        click.option(
            "--normalizer", type=click.Choice(NORMALIZERS),
            help="What errors are divided by [usual for the landmark scheme].",
        ),
        only,
        reader,
        flip,
        click.option(
            "--split", type=click.Choice(["train", "val", "test"]), default="test",
            show_default=True, help="Part of the data set.",
        ),
        click.option(
            "--data", type=NAME, required=True, help="Folder, COCO or CSV file of the data set."
        ),
        click.argument("preset", type=PRESET_NAME),
    ):  # fmt: skip
        command = option(command)
    return command


def measured_model(preset, data, engine):
    """What `keras_lotr.evaluation` is to measure, PRESET or its model.onnx; starts Keras."""
    check_exists("data set", data)
    if preset.endswith(".onnx"):
        check_exists("file", preset)
    elif engine_of(preset, engine) == "onnxruntime":
        preset = onnx_file(preset)
    start_keras()  # it counts the errors in any case
    return preset


PRESET = "lotr_m_68"  # that images are predicted with, unless another is named
VIDEO_PRESET = "lotr_s_68"  # of `video` and `webcam`; a quarter of the time of lotr_m_68


def what_finds_landmarks(default=PRESET):
    """Preset, detector and engine: the arguments of `landmarker_of`."""

    def with_options(command):
        for option in (
            engine,
            precision,
            flip,
            click.option(
                "--any-rotation", is_flag=True,
                help="Search for faces that are rotated by 90, 180 or 270 degrees, too; four times "
                "the detector's time.",
            ),
            click.option(
                "--max-side", type=click.IntRange(32),
                help="Longest image side given to the detector, in pixels; larger finds smaller "
                "faces [640].",
            ),
            click.option(
                "--min-face-size", type=Number(), metavar="SIZE",
                help="In place of --max-side: the smallest face to find, in pixels of the image, "
                "or below 1 as a part of its shorter side; larger is faster.",
            ),
            click.option(
                "--threshold", type=Number(0, 1),
                help="Take the detector's word for all faces of this score or more, 0 to 1 [its "
                "own; presets that say how sure they are verify less certain faces, too].",
            ),
            click.option(
                "--detector", default="builtin", show_default=True,
                help="Face detector: builtin (the library's own), yunet, or an .onnx file like "
                "YuNet's.",
            ),
            click.option(
                "--preset", type=PRESET_NAME, default=default, show_default=True,
                help="Landmark model: a name of `keras-lotr presets`, a preset's folder, "
                "hf://org/name[@revision], or an .onnx file of `keras-lotr export`.",
            ),
        ):  # fmt: skip
            command = option(command)
        return command

    return with_options


def landmarker_of(
    preset,
    detector,
    threshold,
    max_side,
    min_face_size,
    any_rotation,
    flip,
    engine,
    precision,
    workers=None,
):
    """The `FaceLandmarker` that the options of `what_finds_landmarks` describe."""
    from keras_lotr.inference.detectors import load_detector
    from keras_lotr.inference.landmarker import FaceLandmarker

    if not preset.endswith(".onnx"):
        engine = engine_of(preset, engine)
    settings = {"threshold": threshold, "rotations": rotations_of(any_rotation)}
    settings |= {"max_side": max_side, "min_face_size": min_face_size}
    if detector != "builtin":  # that it cannot be had is told before Keras starts
        detector, settings = load_detector(detector, **settings), {}
    if workers is not None and engine == "keras":
        raise ValueError(
            "Expected --workers with --engine onnxruntime, of which each process has one of its "
            "own. Received: the engine keras"
        )
    if engine == "keras":
        start_keras()
    threads = None if workers is None else 1  # the processes share the cores
    settings |= {"flip": flip, "engine": engine, "precision": precision, "threads": threads}
    return FaceLandmarker(preset, detector, **settings)


def rotations_of(any_rotation):
    """The detector's `rotations`; None: its own."""
    return (0, 90, 180, 270) if any_rotation else None


def engine_of(preset, engine):
    """The engine that a preset is run with; refuses one that is not trained."""
    from keras_lotr.inference.engine import best_engine

    landmark_preset(preset)
    return best_engine(preset) if engine == "auto" else engine


def onnx_file(preset):
    """The path of a preset's model.onnx."""
    files = landmark_preset(preset)
    path = files.path(ONNX)
    if path is None:
        raise ValueError(
            f"The preset {files.name!r} has no {ONNX}: write it with `keras-lotr export "
            f"{files.name} --output FOLDER/{ONNX}`, or take --engine keras."
        )
    return str(path)
