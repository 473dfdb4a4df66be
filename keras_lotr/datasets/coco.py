"""COCO keypoints, as CVAT, Roboflow, Label Studio, MMPose and others write them.

    annotations/person_keypoints_train2017.json     images in train2017/ or images/[train2017/]
    train/_annotations.coco.json                    images beside it (Roboflow: train, valid, test)

or one such file itself, as `keras-lotr predict --format coco` writes it, with `file_name` as the
path from its folder: {"images": [{"id", "file_name"}], "annotations": [{"image_id",
"keypoints": [x, y, v, ...]}]} (cocodataset.org/#format-data). Coordinates are "0-indexed" there,
the top left pixel is (0, 0), and are taken as they are. v = 0 means not labelled, with any x and y.

The name of the file or its folder tells the split; files that tell none serve any split, and so
does a file that is given itself. The box of a face is that of its landmarks; `bbox` is not used.
Categories without landmarks of the scheme that is asked for are left out beside one that has them.
"""

import warnings
from pathlib import Path

import numpy as np

from keras_lotr.conversions import can_convert
from keras_lotr.datasets.gaps import labelled_samples
from keras_lotr.datasets.samples import name_some, of_split, read_json, scheme_of
from keras_lotr.images.names import find_image, natural_key, shortened

# Where a folder has COCO files.
_PATTERNS = ("annotations/*.json", "_annotations.coco.json", "*/_annotations.coco.json")


def read(folder, split="train", scheme=None):
    """Faces of COCO files.

    Args:
        folder: the folder of the data set, or a COCO file.
        split: "train", "val" or "test".
        scheme: None: the known scheme of 68, 98 or 106 landmarks ("jd106"), plainN for any other.
            A scheme of as many landmarks says in which order the file has them, unless the
            supercategory names one, as in results of `predict`.
    """
    folder = Path(folder)
    files = [folder] if folder.is_file() else of_split(_files_in(folder), folder, split)
    samples = {}
    for file in files:
        for sample in _read_file(file, scheme):
            # Files of subsets beside the whole ("..._test_blur.json") repeat its faces.
            samples.setdefault((sample.path, sample.points_image.tobytes()), sample)
    return list(samples.values())


def is_here(folder):
    """Whether it is a JSON file or a folder with COCO files at their usual places."""
    folder = Path(folder)
    return bool(_files(folder)) or (folder.is_file() and folder.suffix.lower() == ".json")


def _files(folder):
    return sorted((path for p in _PATTERNS for path in folder.glob(p)), key=natural_key)


def _files_in(folder):
    """The COCO files of a folder; an error if there is none, as each may be given itself."""
    files = _files(folder)
    if not files:
        others = sorted(path.name for path in folder.glob("*.json"))
        raise ValueError(
            f"Expected COCO files ({', '.join(_PATTERNS)}) in {folder}, or the JSON file itself. "
            f"Received: a folder with {name_some(others) or 'no JSON file'}"
        )
    return files


def _read_file(file, scheme):
    content = read_json(file)
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise ValueError(f'Expected a COCO file, {{"images", "annotations"}}, in {file}.')
    for part in ("images", "annotations"):
        _check_objects(content[part], part, file)
    annotations = [a for a in content["annotations"] if a.get("keypoints")]
    said = _schemes_said(content.get("categories"))
    if scheme is not None:
        annotations = _of_fitting_categories(annotations, scheme, said, file)
    places = _image_places(file)
    names = {str(image.get("id")): image.get("file_name") for image in content["images"]}
    faces = []
    for annotation in annotations:
        keypoints, name = _keypoints(annotation, file), names.get(str(annotation.get("image_id")))
        if not isinstance(name, str):
            raise ValueError(f"Expected an image of annotation {annotation.get('id')} in {file}.")
        origin = f"{file}, annotation {annotation.get('id')}"
        points = np.where(keypoints[:, 2:] > 0, keypoints[:, :2], np.nan)
        image = find_image(name, *places)
        own = scheme_of(len(points), scheme, said.get(str(annotation.get("category_id"))))
        faces.append({"path": image, "points_image": points, "scheme": own, "origin": origin})
    return labelled_samples(faces, file, scheme)


def _schemes_said(categories):
    """{id of a category: what it says of its landmarks}, as `predict` writes it."""
    categories = categories if isinstance(categories, list) else []
    categories = [category for category in categories if isinstance(category, dict)]
    return {str(c.get("id")): c.get("scheme", c.get("supercategory")) for c in categories}


def _of_fitting_categories(annotations, scheme, said, file):
    """Without the categories that have no landmarks of the scheme, such as bodies of 17 points.

    If none has, all are kept, and the error of the first one says what it has instead.
    """
    fitting = set()
    for annotation in annotations:
        category, count = str(annotation.get("category_id")), len(_keypoints(annotation, file))
        if can_convert(scheme_of(count, scheme, said.get(category)), scheme):
            fitting.add(category)
    kept = [a for a in annotations if str(a.get("category_id")) in fitting]
    if not kept or len(kept) == len(annotations):
        return annotations
    warnings.warn(
        f"{len(annotations) - len(kept)} annotations of {file} left out: their category has no "
        f"{scheme} landmarks, as another has.",
        stacklevel=2,
    )
    return kept


def _check_objects(entries, part, file):
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(
            f"Expected {part} as a list of objects in {file}. Received: {str(entries)[:200]}"
        )


def _keypoints(annotation, file):
    try:
        return np.array(annotation["keypoints"], np.float64).reshape(-1, 3)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Expected keypoints [x, y, v, ...] in annotation {annotation.get('id')} of {file}. "
            f"Received: {shortened(str(error))}"
        ) from None


def _image_places(file):
    """Folders in which images of the file may lie."""
    root = file.parent.parent if file.parent.name == "annotations" else file.parent
    subset = file.stem.split("_")[-1]
    return root, root / "images", root / "images" / subset, root / subset, file.parent
