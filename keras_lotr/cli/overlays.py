"""Options of what is drawn besides landmarks, for images and videos."""

import click


def more_that_is_drawn(command):
    """The arguments of `overlays_of`."""
    for option in (
        click.option(
            "--pose", is_flag=True,
            help="Draw the axes of each head, too: right in red, up in green, forward in blue.",
        ),
        click.option(
            "--ellipses", is_flag=True,
            help="Draw ellipses, too, that contain 90 % of the true landmarks; for presets that "
            "say how sure they are.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def overlays_of(ellipses, pose, is_drawn=True, needed=""):
    """The arguments of `keras_lotr.draw` that the options stand for.

    Args:
        ellipses, pose: of the command line.
        is_drawn: whether anything is drawn.
        needed: what to ask for if nothing is.

    Raises:
        ValueError: nothing is drawn.
    """
    asked = ["--ellipses"] * ellipses + ["--pose"] * pose
    if asked and not is_drawn:
        raise ValueError(f"Expected {needed} with {' and '.join(asked)}. Received: none")
    from keras_lotr.inference.certainty import LEVEL

    return {"ellipses": LEVEL if ellipses else None, "pose": pose}


def check_overlays(landmarker, preset, overlays):
    """Refuse what this preset cannot have drawn.

    Args:
        landmarker: `FaceLandmarker`.
        preset: its name.
        overlays: from `overlays_of`.

    Raises:
        ValueError: it does not say how sure it is, or its landmarks do not tell the pose.
    """
    from keras_lotr.inference.pose import head_model
    from keras_lotr.schemes import get_scheme

    if overlays["ellipses"] is not None:
        check_says_how_sure(landmarker, preset, "--ellipses")
    scheme = landmarker.preprocessor.scheme
    if overlays["pose"] and head_model(scheme) is None:
        raise ValueError(
            "Expected a preset whose landmarks are known on a head, such as lotr_m_68, with "
            f"--pose. Received: {preset}, of {get_scheme(scheme).name}"
        )


def check_says_how_sure(landmarker, preset, option):
    """Refuse a preset that does not say how sure it is, for an option that needs it."""
    if not landmarker.model.has_certainty:
        raise ValueError(
            f"Expected a preset that says how sure it is with {option}. {preset} does not: train "
            "that with `keras-lotr train-certainty`."
        )
