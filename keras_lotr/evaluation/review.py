"""`keras-lotr review`: the labels of a data set that a model most surely disagrees with.

A label is far off where the model is sure, in units of the error that it expects there: that tells
a wrong label from a difficult face.
"""

import base64
import html
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from keras_lotr.datasets.batches import CHUNK, load_crops
from keras_lotr.evaluation.evaluation import read_labelled
from keras_lotr.evaluation.judged import judge
from keras_lotr.images.drawing import draw
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.number_checks import check_counts
from keras_lotr.presets.files import write_file

# Of the distances of a face's landmarks: a few wrong labels are enough, one need not be.
_SHARE = 0.9
_SHOWN = 288  # pixels of a thumbnail

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff; }}
main {{ display: grid; gap: 1rem; }}
main {{ grid-template-columns: repeat(auto-fill, minmax({size}px, 1fr)); }}
figure {{ margin: 0; }} img {{ width: 100%; }} figcaption {{ overflow-wrap: anywhere; }}
</style></head><body><h1>{title}</h1>
<p>{faces} faces. White: the label. In colour: the model, with the ellipses that it expects 90 % of
the true landmarks in. A label that is many sigmas off where the ellipses are small is probably
wrong.</p>
<main>{figures}</main></body></html>
"""


@dataclass(frozen=True)
class Doubtful:
    """A face whose label is looked at.

    Attributes:
        sample: `Sample`.
        sigmas: how many expected errors off the label is, at nine tenths of its landmarks at most.
        points, sigma: (N, 2) and (N, 2, 2), what the model says, crop pixels.
    """

    sample: object
    sigmas: float
    points: np.ndarray
    sigma: np.ndarray


def doubtful_labels(model, data, split="train", reader=None, only=(), count=50):
    """The faces whose labels disagree most surely with a model.

    Args:
        model: `LOTR` or `OnnxModel` that says how sure it is.
        data, split, reader, only: as of `evaluate`.
        count: how many faces, from 1.

    Returns:
        list of `Doubtful`, the most doubtful first; and the number of all faces.

    Raises:
        ValueError: the model does not say how sure it is, the data set cannot be read, or `count`
            is no such number.
    """
    check_counts(count=count)
    samples = read_labelled(data, split, model.preprocessor.scheme, reader, only)
    faces = []
    for start in range(0, len(samples), CHUNK):
        found = judge(model, samples[start : start + CHUNK])
        far = np.nanquantile(found.distances, _SHARE, axis=1)
        parts = zip(found.samples, far, found.points, found.sigma, strict=True)
        faces += [Doubtful(sample, float(d), *given) for sample, d, *given in parts]
        faces = sorted(faces, key=lambda face: -face.sigmas)[:count]
    return faces, len(samples)


def write_page(faces, num_faces, preprocessor, path, title):
    """Write an HTML page of thumbnails, which needs no other file.

    Args:
        faces: of `doubtful_labels`.
        num_faces: how many there are in all.
        preprocessor: of the model.
        path: the .html file, replaced as a whole or not at all.
        title: of the page.
    """
    figures = "\n".join(_figure(i, face, preprocessor) for i, face in enumerate(faces, start=1))
    title = html.escape(title)
    page = _PAGE.format(title=title, size=_SHOWN, faces=num_faces, figures=figures)
    write_file(Path(path), page.encode())


def _figure(rank, face, preprocessor):
    image = base64.b64encode(thumbnail(face, preprocessor)).decode()
    name = html.escape(f"{Path(face.sample.path).name} {face.sample.origin}".strip())
    return (
        f'<figure><img alt="{name}" src="data:image/jpeg;base64,{image}">'
        f"<figcaption>{rank}. {face.sigmas:.1f} sigmas: {name}</figcaption></figure>"
    )


def thumbnail(face, preprocessor):
    """The crop with label and model drawn, a JPEG file as bytes."""
    size = preprocessor.image_size
    (crop,), (truth,) = load_crops([face.sample], size, preprocessor.margin)
    scale = _SHOWN / size
    crop = cv2.resize(crop, (_SHOWN, _SHOWN), interpolation=cv2.INTER_LINEAR)
    points, truth = ((p + 0.5) * scale - 0.5 for p in (face.points, truth))
    box = (0, 0, _SHOWN - 1, _SHOWN - 1)
    sigma = face.sigma * scale**2
    drawn = draw(
        crop,
        [FaceLandmarks(points, box, None, preprocessor.scheme, sigma=sigma)],
        contours=False,
        ellipses=0.9,
    )
    for center in truth[np.isfinite(truth).all(-1)]:
        place = tuple(np.rint(center).astype(int).tolist())
        cv2.circle(drawn, place, 3, (20, 24, 32), -1, cv2.LINE_AA)
        cv2.circle(drawn, place, 2, (255, 255, 255), -1, cv2.LINE_AA)
    return cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))[1].tobytes()
