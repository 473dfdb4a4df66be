"""Options that several subcommands have in common."""

import click

engine = click.option(
    "--engine", type=click.Choice(["keras", "onnxruntime"]), default="keras", show_default=True,
    help="onnxruntime runs the preset's model.onnx without Keras.",
)  # fmt: skip
flip = click.option("--flip", is_flag=True, help="Average with the mirrored faces' landmarks.")

only = click.option(
    "--only", multiple=True, help="Only faces of this set or subset (tag); repeat for more."
)


def annotated_faces(command):
    """PRESET, and the annotated faces that it is measured on."""
    for option in (
        click.option("--reader", help="Reader of the data [recognised from the files]."),
        flip,
        click.option("--split", default="test", help="train, val or test [test]."),
        click.option("--data", required=True, help="Data set folder."),
        click.argument("preset"),
    ):
        command = option(command)
    return command


def what_finds_landmarks(command):
    """Preset, detector and engine: the arguments of `landmarker_of`."""
    for option in (
        engine,
        flip,
        click.option(
            "--any-rotation", is_flag=True, help="Also find faces turned by 90, 180 and 270."
        ),
        click.option(
            "--max-side", type=click.IntRange(32), default=640, help="Detector's picture [640]."
        ),
        click.option(
            "--threshold", type=click.FloatRange(0, 1), help="Detector's score [its own]."
        ),
        click.option(
            "--detector", default="embedded", show_default=True,
            help="embedded, yunet, or an .onnx file.",
        ),
        click.option(
            "--preset", default="lotr_m_300w", show_default=True,
            help="Name, folder, hf://..., .onnx file.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def landmarker_of(preset, detector, threshold, max_side, any_rotation, flip, engine):
    """The `FaceLandmarker` that the options of `what_finds_landmarks` describe."""
    from keras_lotr.face_detector import load_detector
    from keras_lotr.landmarker import FaceLandmarker

    settings = {"max_side": max_side, "rotations": (0, 90, 180, 270) if any_rotation else (0,)}
    if threshold is not None:
        settings["score_threshold"] = threshold
    detect = load_detector(detector, **settings)
    if preset.endswith(".onnx"):
        return FaceLandmarker.from_onnx(preset, detect, flip)
    return FaceLandmarker.from_preset(preset, detect, flip, engine)
