"""Photo -> faces with their landmarks: detector, crop, LOTR, and back into photo pixels."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from keras_lotr import geometry
from keras_lotr.face_detector import Face, load_detector
from keras_lotr.face_landmarks import FaceLandmarks, PhotoLandmarks
from keras_lotr.images import read_image
from keras_lotr.onnx_model import OnnxModel
from keras_lotr.schemes import get_scheme

# Crops that are gathered, over photos, before the model is asked. Of photos only one is held.
_CROPS_AT_ONCE = 64


class FaceLandmarker:
    """Finds the faces of photos and their landmarks.

    May be called from several threads: nothing is kept between calls. A Keras model is asked by one
    thread at a time, an `OnnxModel` by all.

    Args:
        model: a `LOTR`, or an `OnnxModel`, which needs no Keras.
        detector: "embedded", "yunet", path of a detector's .onnx file, or a callable: see
            `face_detector`. It is loaded when the first photo without `boxes` comes.
        contract: `CropContract`; None: the model's own.
        flip: average with the landmarks of the mirrored crop: a little better, twice the time.

    Call arguments:
        source: a picture, everything that `read_image` takes, or a list of pictures.
        boxes: (F, 4) x0, y0, x1, y1 in photo pixels, boxes **around the landmarks** (brows to
            chin, without the forehead); for a list of pictures a list of such arrays. None: the
            detector looks for faces.

    Returns:
        List of `FaceLandmarks`, in the order of the boxes or the largest first; for a list of
        pictures a list of such lists.

    Raises:
        ValueError, OSError: a picture cannot be read; a box is not finite, turned round or
            outside its photo.

    Example:

    >>> import numpy as np
    >>> landmarker = FaceLandmarker.from_preset("lotr_m_300w")
    >>> photo = np.zeros((480, 640, 3), np.uint8)
    >>> face, = landmarker(photo, boxes=[[100, 100, 300, 320]])
    >>> face.points.shape, face.scheme
    ((68, 2), 'ibug68')
    """

    def __init__(self, model, detector="embedded", contract=None, flip=False):
        self.model, self.flip = model, flip
        self.contract = contract or model.crop_contract
        self._detector = detector
        if flip and get_scheme(self.contract.scheme).flip_order is None:
            raise ValueError(
                "Expected flip=False: which landmarks are mirror images of each other is not known "
                f"for the scheme {self.contract.scheme!r}."
            )

    @classmethod
    def from_preset(cls, preset, detector="embedded", flip=False, engine="keras"):
        """The landmarker of a preset.

        Args:
            preset: short name, folder or "hf://org/name[@revision]".
            detector, flip: see above.
            engine: "keras", or "onnxruntime", which runs the preset's model.onnx and imports
                neither Keras nor a backend.

        Raises:
            ValueError: unknown preset or engine, or one without weights, or without model.onnx.
            ImportError: onnxruntime is missing.
        """
        if engine == "onnxruntime":
            return cls(OnnxModel.from_preset(preset), detector, flip=flip)
        if engine != "keras":
            raise ValueError(f"Expected the engine keras or onnxruntime. Received: {engine!r}")
        from keras_lotr.lotr import LOTR  # here, for who runs without Keras

        return cls(LOTR.from_preset(preset), detector, flip=flip)

    @classmethod
    def from_onnx(cls, path, detector="embedded", flip=False, threads=None):
        """The landmarker of a file of `keras-lotr export`, without Keras.

        Args:
            path: the .onnx file; its metadata say how faces are cropped.
            detector, flip: see above.
            threads: of one call of onnxruntime; None: one for each core.

        Raises:
            FileNotFoundError, ValueError: no such file, or one that keras-lotr did not write.
            ImportError: onnxruntime is missing.

        Example:

        >>> landmarker = FaceLandmarker.from_onnx("presets/lotr_m_300w/model.onnx")
        >>> face, = landmarker("examples/astronaut.jpg")
        >>> face.points.shape
        (68, 2)
        """
        return cls(OnnxModel(path, threads), detector, flip=flip)

    @cached_property
    def detector(self):
        """Callable: photo -> list of `Face`."""
        return load_detector(self._detector)

    def __call__(self, source, boxes=None):
        many = isinstance(source, list | tuple)
        sources = source if many else [source]
        results = []
        for photo in self.stream(sources, boxes if many or boxes is None else [boxes]):
            if photo.error is not None:
                raise photo.error
            results.append(photo.faces)
        return results if many else results[0]

    def stream(self, sources, boxes=None):
        """Photo by photo, for many: only crops and results of a few are held in memory.

        Args:
            sources: iterable of pictures.
            boxes: as many arrays (F, 4), or None.

        Yields:
            `PhotoLandmarks` in the order of the sources. A picture that cannot be read does not
            stop the others: its error is in the result.
        """
        if boxes is not None and len(boxes) != len(sources):
            raise ValueError(
                f"Expected boxes for each of {len(sources)} pictures. Received: {len(boxes)}"
            )
        waiting, num_crops = [], 0
        for i, source in enumerate(sources):
            prepared = self._prepare(source, None if boxes is None else boxes[i])
            waiting.append(prepared)
            num_crops += len(prepared[1])
            if num_crops >= _CROPS_AT_ONCE:
                yield from self._finish(waiting)
                waiting, num_crops = [], 0
        yield from self._finish(waiting)

    def _prepare(self, source, boxes):
        """Read, detect and crop: the photo without its faces, then faces, matrices and crops."""
        if boxes is None:
            detector = self.detector  # that it is missing is no fault of the photo
        try:
            image = read_image(source)
            faces = detector(image) if boxes is None else faces_of_boxes(boxes, image.shape)
        except (ValueError, OSError) as error:
            return PhotoLandmarks(source, error=error), [], [], []
        matrices, crops = crop_faces(image, faces, self.contract)
        height, width = image.shape[:2]
        return PhotoLandmarks(source, width=width, height=height), faces, matrices, crops

    def _finish(self, waiting):
        """One call of the model for the faces of all photos."""
        crops = np.array([crop for *_, crops in waiting for crop in crops])
        found = self.model.predict_points(crops, flip=self.flip) if len(crops) else ()
        points_crop = iter(found)
        for photo, faces, matrices, _ in waiting:
            landmarks = []
            for face, crop_from_image in zip(faces, matrices, strict=True):
                points = geometry.apply(geometry.invert(crop_from_image), next(points_crop))
                points, scheme = points.astype(np.float32), self.contract.scheme
                landmarks.append(FaceLandmarks(points, face.box, face.score, scheme))
            yield replace(photo, faces=landmarks)


def crop_faces(image, faces, contract):
    """What a model with this contract sees of the faces of a photo.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: list of F `Face`.
        contract: `CropContract`.

    Returns:
        matrices: list of F (2, 3) `crop_from_image`.
        crops: list of F (S, S, 3) uint8.
    """
    size = contract.image_size
    matrices = [geometry.crop_from_box(f.box, size, contract.margin, f.degrees) for f in faces]
    return matrices, [geometry.warp(image, matrix, size) for matrix in matrices]


def faces_of_boxes(boxes, shape):
    """Boxes that a user gave, as faces.

    Args:
        boxes: (F, 4) x0, y0, x1, y1, photo pixels.
        shape: of the photo, (H, W, 3).

    Raises:
        ValueError: for a box that is not finite, turned round, or wholly outside the photo.
    """
    try:
        boxes = np.asarray(boxes, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected boxes (F, 4). Received: {error}") from None
    if not boxes.size:
        return []
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"Expected boxes (F, 4): x0, y0, x1, y1. Received: shape {boxes.shape}")
    height, width = shape[:2]
    for box in boxes:
        x0, y0, x1, y1 = box
        if not geometry.is_box(box):
            raise ValueError(
                "Expected a box x0, y0, x1, y1 in photo pixels with x1 > x0 and y1 > y0. "
                f"Received: {box.tolist()}"
            )
        if x1 < 0 or y1 < 0 or x0 > width - 1 or y0 > height - 1:
            raise ValueError(
                f"Expected a box in the photo of {width} x {height} pixels. "
                f"Received: {box.tolist()}"
            )
    return [Face(box, score=None) for box in boxes]
