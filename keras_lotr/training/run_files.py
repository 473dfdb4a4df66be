"""What lies in the folder of a training run."""

from keras_lotr.presets.files import CONFIG

CHECKPOINT, HISTORY, BEST = "checkpoint.safetensors", "history.csv", "preset"
PRESETS = "presets"  # in place of BEST: one preset for each group of a mixture


def check_out(out, resume):
    """Refuse to train into a folder with another run, or to resume where there is none."""
    has_run = (out / CHECKPOINT).exists() or (out / HISTORY).exists()
    if has_run and not resume:
        raise ValueError(
            f"{out} already holds a training. Go on with it (--resume) or take another folder."
        )
    if resume and not (out / CHECKPOINT).exists():
        raise ValueError(f"There is nothing to resume in {out}: it has no {CHECKPOINT}.")


def best_of(run):
    """The preset with the best weights of a run, and the run's history.

    Args:
        run: folder of a run, or `presets/GROUP` in that of a mixture.

    Raises:
        ValueError: it is neither.
    """
    if (run / CONFIG).is_file():
        return run, run.parents[1] / HISTORY
    if (run / PRESETS).is_dir():
        groups = ", ".join(sorted(path.name for path in (run / PRESETS).iterdir()))
        raise ValueError(
            f"Expected the folder of one preset of a mixture, {run / PRESETS}/GROUP. "
            f"Its groups are {groups}."
        )
    if not (run / BEST / CONFIG).is_file():
        raise ValueError(f"Expected the folder of a training. There is no {run / BEST}.")
    return run / BEST, run / HISTORY
