"""MediaPipe's face mesh as a process that runs once for each line that it gets.

    PYTHON benchmarks/mediapipe_mesh.py photo.npy static|video

MediaPipe needs NumPy 1 and so an environment of its own: `pip install mediapipe==0.10.21`.
`inference.py --mediapipe PYTHON` starts it. It answers each line with the number of faces.
"""

import sys

import mediapipe
import numpy as np


def main():
    image = np.load(sys.argv[1])
    mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=sys.argv[2] == "static")
    for _ in sys.stdin:
        found = mesh.process(image).multi_face_landmarks
        print(len(found or ()), flush=True)


if __name__ == "__main__":
    main()
