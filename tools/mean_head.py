"""Measure the mean head of the renderer's people, which `keras_lotr/inference/pose.py` turns.

    python tools/mean_head.py FOLDER_OF_FACESYNTH [--people 400]

The outline lies on fixed places of the head. Coordinates are in the head's own frame, x to the
right of the image for a head that looks at the camera, y up, z out of the face; the middle of the
landmarks is the origin, and the distance of the outer eye corners is one.
"""

import json
import sys
from pathlib import Path

import click
import numpy as np

TARGET = Path(__file__).parents[1] / "keras_lotr" / "inference" / "mean_head.json"
OUTER_EYES = 66, 79  # of JD's 106


@click.command()
@click.argument("folder", type=Path)
@click.option("--people", default=400, show_default=True)
def main(folder, people):
    sys.path.insert(0, str(folder.resolve().parent))
    from facesynth.compose import Renderer

    renderer = Renderer(256)
    heads = np.stack([landmarks_of(renderer, index) for index in range(people)])
    mean = heads.mean(0)
    mirrored = mean[flip_order()] * (-1, 1, 1)
    mean = (mean + mirrored) / 2  # a person's sides differ, the mean person's do not
    content = {"licence": "CC0-1.0", "scheme": "jd106", "points": mean.round(4).tolist()}
    TARGET.write_text(json.dumps(content) + "\n", encoding="utf-8")
    click.echo(f"{people} heads, standard deviation {heads.std(0).mean():.3f}: {TARGET}")


def landmarks_of(renderer, index):
    """(106, 3) of one person, as the renderer places them before it draws."""
    from facesynth.camera import sample_pose
    from facesynth.expression import sample_expression
    from facesynth.hair import sample_hair
    from facesynth.head import build_head
    from facesynth.identity import sample_identity
    from facesynth.landmarks import to_jd106

    rng, assets = np.random.default_rng([1, index]), renderer.assets
    person = sample_identity(rng, assets.target_index)
    expression = sample_expression(rng, renderer.unit_names)
    hair = sample_hair(rng, assets, person)
    head = build_head(rng, assets, renderer.landmarks, person, expression)
    pose = sample_pose(rng, head)
    eye = assets.kinds["eye"][0]
    brow, eyes = (pose.apply(head.fit(n), assets.parts[n].head_weight) for n in (hair.brow, eye))
    skin = pose.apply(head.v, assets.head_weight)
    points = to_jd106(*renderer.landmarks.locate(skin, hair.brow, brow, eyes, pose.head[:, 1]))
    points = (points - points.mean(0)) @ pose.head  # turned back
    left, right = OUTER_EYES
    return points / np.linalg.norm(points[right] - points[left])


def flip_order():
    from keras_lotr.schemes import get_scheme

    return list(get_scheme("jd106").flip_order)


if __name__ == "__main__":
    main()
