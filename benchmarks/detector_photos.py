"""Lists of photos for `train-detector`: of a folder with `photos/` and `faces/`, and rendered ones.

    python benchmarks/detector_photos.py DATA --rendered FOLDER --out LISTS

Held out are the photos of the validation faces and each eighth of the others without annotations;
crops of a held-out photo are left out of training. Whole photos count twice: crops are of one large
face each.
"""

import json
from pathlib import Path

import click

RENDERED = 400


@click.command()
@click.argument("data", type=Path)
@click.option("--rendered", type=Path, help="Folder of rendered faces.")
@click.option("--out", type=Path, required=True)
def main(data, rendered, out):
    photos = json.loads((data / "photos" / "photos.json").read_text())
    faces = json.loads((data / "faces" / "labels.json").read_text())
    wider = sorted(photo["image"] for photo in photos if photo["set"] == "wider")
    held_out = {Path(name).stem for name in wider[::8]}
    held_out |= {photo_of(face) for face in faces if face["split"] == "val"}
    images = data / "photos" / "images"
    groups = {True: [], False: []}
    for photo in photos:
        path = (images / photo["image"]).resolve()
        groups[path.stem in held_out].append(str(path))
    crops = [
        str((data / "faces" / "images" / face["image"]).resolve())
        for face in faces
        if face["split"] == "train" and photo_of(face) not in held_out
    ]
    pictures = sorted(rendered.rglob("*.jpg"))[:RENDERED] if rendered else []
    train = groups[False] * 2 + crops[::2] + [str(path.resolve()) for path in pictures]
    out.mkdir(parents=True, exist_ok=True)
    (out / "train.txt").write_text("\n".join(train) + "\n")
    (out / "held_out.txt").write_text("\n".join(groups[True]) + "\n")
    print(f"{len(train)} pictures to learn from, {len(groups[True])} held out")


def photo_of(face):
    """The stem of the photo that a face is from."""
    stem = Path(face["source"]).stem
    if face["set"] == "wider":
        return stem
    return f"{face['set']}_{stem if face['set'] == 'lfpw' else stem.rpartition('_')[0]}"


if __name__ == "__main__":
    main()
