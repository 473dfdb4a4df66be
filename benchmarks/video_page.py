"""The landmarks of a video as the page without a server smooths them: its JavaScript, in node."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

from keras_lotr.schemes import get_scheme
from keras_lotr.tracking.crops import SteadyCrop, upright_degrees

SOURCE = Path(__file__).parents[1] / "web" / "src"
SCRIPT = """
import { readFileSync } from "node:fs";
import { FaceSmoother } from "%s";
const v = JSON.parse(readFileSync(0, "utf8"));
const smoother = new FaceSmoother(v.facts.tracking.smoothing);
const next = (f) => smoother.next(f.points, f.matrix, v.side, f.time, f.sigma);
console.log(JSON.stringify(v.frames.map(next)));
"""


def smoothed_on_page(node, faces, frames, preprocessor):
    """What the page makes of the landmarks of one face.

    Args:
        node: path of node.
        faces: for each frame, list of one `FaceLandmarks` with sigma, not smoothed, or of none.
        frames: the `Frame`s.
        preprocessor: `Preprocessor` of the landmarks.

    Returns:
        `faces` with other points.
    """
    crop, given, scheme = SteadyCrop(), [], get_scheme(preprocessor.scheme)
    for frame, here in zip(frames, faces, strict=True):
        for face in here:
            points, sigma = face.points, face.sigma.reshape(-1, 4)[:, [0, 1, 3]]
            matrix = crop(points, upright_degrees(points, scheme), frame.time, preprocessor)
            arrays = {"points": points, "matrix": matrix, "sigma": sigma}
            arrays = {name: array.tolist() for name, array in arrays.items()}
            given.append({**arrays, "time": frame.time})
    facts = json.loads((SOURCE / "facts.json").read_text(encoding="utf-8"))
    run = subprocess.run(
        [node, "--input-type=module", "--eval", SCRIPT % (SOURCE / "smoothing.js").as_uri()],
        input=json.dumps({"facts": facts, "side": preprocessor.image_size, "frames": given}),
        check=True,
        capture_output=True,
        text=True,
    )
    smoothed = iter(json.loads(run.stdout))
    return [[replace(face, points=next(smoothed)) for face in here] for here in faces]
