"""MediaPipe's face mesh in video mode on one clip; `video.py` runs it with a Python of its own.

    python benchmarks/video_mediapipe.py CLIP.mp4 FOUND.npz

Writes `points` (T, 468, 2) in pixels, NaN where no face was found, and `ms` (T,), of
processor time.
"""

import sys
import time

import cv2
import mediapipe
import numpy as np

cv2.setNumThreads(1)
clip = cv2.VideoCapture(sys.argv[1])
points, milliseconds = [], []
with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=False, max_num_faces=1) as mesh:
    there, frame = clip.read()
    while there:
        image = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        start = time.process_time()
        found = mesh.process(image).multi_face_landmarks
        milliseconds.append(1000 * (time.process_time() - start))
        here = np.full((468, 2), np.nan)
        if found:
            here = np.array([(p.x, p.y) for p in found[0].landmark])[:468]
            here = here * image.shape[1::-1] - 0.5  # its pixels begin at their corners
        points.append(here)
        there, frame = clip.read()
np.savez(sys.argv[2], points=np.array(points), ms=milliseconds)
