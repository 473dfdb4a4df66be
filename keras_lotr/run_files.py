"""What lies in the folder of a training run."""

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
