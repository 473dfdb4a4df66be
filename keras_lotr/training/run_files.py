"""What lies in the folder of a training run, which one process writes at a time."""

import csv
import os
from contextlib import contextmanager

from keras_lotr.locking import lock
from keras_lotr.presets.files import CONFIG, RECIPE, to_json
from keras_lotr.unfinished import remove_unfinished
from keras_lotr.writing import check_folder

CHECKPOINT, HISTORY, BEST = "checkpoint.safetensors", "history.csv", "preset"
PRESETS = "presets"  # in place of BEST: one preset for each group of a mixture


def name_and_folder(data):
    """A data set that is given as FOLDER or, as mixtures take it, as NAME=FOLDER.

    Args:
        data: str or path.

    Returns:
        The name, None if it has none, and the folder as str.

    Example:

    >>> name_and_folder("faces=/data/mine"), name_and_folder("/data/mine")
    (('faces', '/data/mine'), (None, '/data/mine'))
    """
    data = os.fspath(data)
    name, is_named, folder = data.partition("=")
    return (name, folder) if is_named and not os.path.exists(data) else (None, data)


def check_out(out, resume):
    """Refuse to train into a folder with another run, or to resume where there is none.

    Raises:
        ValueError: so it is, or it is no folder.
        OSError: nothing can be written there.
    """
    check_folder(out)
    has_checkpoint = (out / CHECKPOINT).exists()
    if has_checkpoint and not resume:
        raise ValueError(
            f"{out} already holds a training. Go on with it (--resume) or take another folder."
        )
    if not has_checkpoint and (out / HISTORY).exists():
        raise ValueError(
            f"{out} holds the {HISTORY} of a training, but no {CHECKPOINT} to go on from. Take "
            "another folder."
        )
    if resume and not has_checkpoint:
        raise ValueError(
            f"There is nothing to resume in {out}: it has no {CHECKPOINT}, which is written when "
            "an epoch ends. Start without --resume."
        )


def check_new_run(out, recipe):
    """Refuse to begin a training where a recipe or a preset of something else would be replaced.

    One that was killed in its first epoch left its recipe, and perhaps presets beside it.

    Args:
        out: folder of the run.
        recipe: what its recipe.json will hold.

    Raises:
        ValueError: naming what would be lost.
    """
    there = [out / name for name in (RECIPE, BEST, PRESETS) if (out / name).exists()]
    is_own = (out / RECIPE).is_file() and (out / RECIPE).read_bytes() == to_json(recipe)
    if there and not is_own:
        raise ValueError(
            f"{there[0]} is not of this training, which would replace it: take another folder, or "
            "move it away."
        )


def check_same(out, begun, given):
    """Refuse to go on with a run in another way than it was begun.

    Args:
        out: folder of the run.
        begun: {what: value} of the run; what it does not say is not compared.
        given: likewise, of what is to go on; None contradicts nothing.

    Raises:
        ValueError: naming the first that differs.

    Example:

    >>> check_same("runs/x", {"batch_size": 16}, {"batch_size": 8})
    Traceback (most recent call last):
    ValueError: The run in runs/x was begun with batch_size 16. Received: 8. Resume it as it was
    begun, or name another folder as --output.
    """
    for what, value in given.items():
        if value is not None and begun.get(what, value) != value:
            raise ValueError(
                f"The run in {out} was begun with {what} {begun[what]!r}. Received: {value!r}. "
                "Resume it as it was begun, or name another folder as --output."
            )


@contextmanager
def only_run(out, resume):
    """The folder of a run, made if it is missing, for one process as long as the block runs.

    The system takes the lock back when the process ends, however it ends. What a process that was
    killed left half written is removed.

    Args:
        out: folder.
        resume: see `check_out`.

    Raises:
        ValueError: another training runs in it, or see `check_out`.
        OSError: it cannot be made or opened.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        folder = lock(out)
    except BlockingIOError:
        raise ValueError(
            f"Another training is running in {out}. Wait for its end or take another folder."
        ) from None
    try:
        check_out(out, resume)  # again: a training may have ended meanwhile
        for part in (out, out / BEST, *(out / PRESETS).glob("*")):
            if part.is_dir():
                remove_unfinished(part)
        yield
    finally:
        if folder is not None:
            os.close(folder)


def best_of(run):
    """The preset with the best weights of a run, and the run's history.

    Args:
        run: folder of a run, the `preset` in it, or `presets/GROUP` in that of a mixture.

    Raises:
        ValueError: it is none of these.
    """
    if (run / CONFIG).is_file():
        for folder in run.absolute().parents[:2]:
            if (folder / HISTORY).is_file():
                return run, folder / HISTORY
        raise ValueError(
            f"Expected a preset in the folder of its training. There is no {HISTORY} above {run}."
        )
    if (run / PRESETS).is_dir():
        groups = ", ".join(sorted(path.name for path in (run / PRESETS).iterdir()))
        raise ValueError(
            f"Expected the folder of one preset of a mixture, {run / PRESETS}/GROUP. "
            f"Its groups are {groups}."
        )
    if not (run / BEST / CONFIG).is_file():
        raise ValueError(f"Expected the folder of a training. There is no {run / BEST}.")
    return run / BEST, run / HISTORY


def read_history(path):
    r"""The rows of a history.csv, one for each epoch.

    Args:
        path: the file, which a training wrote.

    Returns:
        List of {column: float}.

    Example:

    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp(), "history.csv")
    >>> size = path.write_text("epoch,loss,val_nme\n0,40.5,9.1\n1,12,7.3\n")
    >>> min(read_history(path), key=lambda row: row["val_nme"])
    {'epoch': 1.0, 'loss': 12.0, 'val_nme': 7.3}
    """
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: float(v) for name, v in row.items()} for row in csv.DictReader(file)]
