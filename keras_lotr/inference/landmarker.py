"""Photo -> faces with their landmarks: detector, crop, LOTR, and back into image pixels."""

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import repeat

import numpy as np

from keras_lotr import geometry
from keras_lotr.images.reading import check_several, is_several
from keras_lotr.inference.boxes import check_format
from keras_lotr.inference.certainty import scale_matrices
from keras_lotr.inference.detectors import BUILTIN
from keras_lotr.inference.engine import load_model
from keras_lotr.inference.face_detector import kept_rotations
from keras_lotr.inference.photo_crops import PhotoCropper
from keras_lotr.inference.photo_landmarks import bytes_held
from keras_lotr.inference.processes import stream_in_processes
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.inference.verification import verified
from keras_lotr.preprocessor import checked_preprocessor
from keras_lotr.running.crop_batches import UNCALIBRATED
from keras_lotr.schemes import get_scheme

# Crops that are gathered, over photos, before the model is asked. Photos that have a name are
# forgotten before; of those that were given as pixels or bytes no more than these are held.
_CROPS_AT_ONCE, _BYTES_AT_ONCE = 64, 100_000_000


class FaceLandmarker:
    """Finds the faces of images and their landmarks.

    It may be called from several threads, because nothing is kept between calls. A Keras model runs
    in one thread at a time, an `OnnxModel` in all of them at once.

    Args:
        model: name, folder or "hf://org/name[@revision]" of a preset, an .onnx file, a `LOTR`, or
            an `OnnxModel`, which needs no Keras.
        detector: "builtin", "yunet", path of a detector's .onnx file, or a callable from an image
            to boxes (F, 4) around the landmarks. It is loaded when the first image without `boxes`
            comes.
        preprocessor: `Preprocessor` or its config, how faces are cropped; None: the model's own.
        flip: whether to average with the landmarks of the mirrored crop, which is slightly more
            accurate and takes twice the time.
        engine: what runs a model that is named: "keras"; "onnxruntime", which imports neither Keras
            nor a backend; or "auto", onnxruntime where it is installed and the preset has a
            model.onnx, and else Keras.
        threads, providers: settings of onnxruntime, see `OnnxModel`.
        dtype: dtype policy of the Keras model, such as "mixed_bfloat16".
        token: access token of the Hub; None takes that of HF_TOKEN or `hf auth login`.
        precision: of onnxruntime: "float32" (None), "int8" or "auto", see `load_model`.
        threshold, max_side, min_face_size, rotations: settings of a detector that is named, see
            `FaceDetector`. Without a threshold, the built-in detector proposes more faces than it
            is sure of, and a model that says how sure its landmarks are decides which are faces
            (`keras_lotr.inference.verification`).
        contract: the former name of `preprocessor`.

    Call arguments:
        source: an image, everything that `read_image` takes, or a list or another iterable of
            images.
        boxes: (F, 4) x0, y0, x1, y1 in image pixels, one box (4,), or faces, `Face` of a detector.
            A box must enclose **the landmarks only** (brows to chin, without the forehead). Several
            images need as many of these. With None, the detector looks for faces.
        box_format: how boxes are given: "xyxy", "xywh" (x0, y0, width, height) or "cxcywh", as
            torchvision calls them.

    Returns:
        List of `FaceLandmarks`, in the order of the boxes or with the largest face first. Several
        images give a list of such lists.

    Raises:
        ValueError, OSError: an image cannot be read, or a box is not finite, has x1 <= x0 or
            y1 <= y0, or lies outside of its image.

    Example:

    >>> import numpy as np
    >>> landmarker = FaceLandmarker.from_preset("lotr_m_68")
    >>> photo = np.zeros((480, 640, 3), np.uint8)
    >>> face, = landmarker(photo, boxes=[[100, 100, 300, 320]])
    >>> face.points.shape, face.scheme
    ((68, 2), 'ibug68')
    """

    def __init__(
        self,
        model,
        detector: str | Callable = "builtin",  # or editors take only texts
        preprocessor=None,
        flip=False,
        engine="auto",
        threads=None,
        providers=None,
        dtype=None,
        token=None,
        threshold=None,
        max_side=None,
        rotations=None,
        contract=None,
        min_face_size=None,
        precision=None,
    ):
        named = {"threads": threads, "providers": providers, "dtype": dtype, "token": token}
        named["precision"] = precision
        if isinstance(model, str | os.PathLike | bytes):
            model = load_model(model, engine, **named)
        elif engine != "auto" or any(value is not None for value in named.values()):
            raise ValueError(
                "Expected engine, threads, providers, dtype, token and precision for a model that "
                "is named only. The model given here is loaded already."
            )
        if not hasattr(model, "predict_points"):
            raise TypeError(
                "Expected a LOTR, an OnnxModel, the name or folder of a preset, or an .onnx file. "
                f"Received: {type(model).__name__}{_hint(model)}"
            )
        self.model, self.flip = model, flip
        given = contract if preprocessor is None else preprocessor
        self.preprocessor = model.preprocessor
        if given is not None:
            fitting = model.num_landmarks, model.image_size
            self.preprocessor = checked_preprocessor(given, *fitting)
        settings = {"threshold": threshold, "max_side": max_side}
        settings |= {"min_face_size": min_face_size, "rotations": kept_rotations(rotations)}
        settings = {k: v for k, v in settings.items() if v is not None}
        builtin = isinstance(detector, str) and detector in BUILTIN
        has_certainty = getattr(model, "has_certainty", False)
        if getattr(model, "certainty", None) is not None and not has_certainty:
            warnings.warn(UNCALIBRATED, stacklevel=2)
        verifies = builtin and threshold is None and has_certainty
        verifies = verifies and not self.preprocessor.detector_decides
        self.crop_photo = PhotoCropper(self.preprocessor, detector, settings, verifies)
        if flip and get_scheme(self.preprocessor.scheme).flip_order is None:
            raise ValueError(
                "Expected flip=False: which landmarks are mirror images of each other is not known "
                f"for the scheme {str(self.preprocessor.scheme)!r}."
            )

    @classmethod
    def from_preset(
        cls, preset, detector: str | Callable = "builtin", flip=False, engine="keras", **settings
    ):
        """Load the landmarker of a preset; Keras runs it unless another engine is named.

        Args:
            preset: short name, folder or "hf://org/name[@revision]".
            detector, flip: see above.
            engine: "keras", whose model has attention maps and can be trained; "onnxruntime", which
                runs the preset's model.onnx and imports neither Keras nor a backend; or "auto".
            **settings: further arguments of the class.

        Raises:
            ValueError: unknown preset or engine, or one without weights, or without model.onnx.
            ImportError: onnxruntime is missing.
        """
        return cls(preset, detector, flip=flip, engine=engine, **settings)

    @classmethod
    def from_onnx(
        cls, path, detector: str | Callable = "builtin", flip=False, threads=None, **settings
    ):
        """Load the landmarker of an .onnx file that `keras-lotr export` wrote; it needs no Keras.

        Args:
            path: the .onnx file; its metadata say how faces are cropped.
            detector, flip: see above.
            threads: of one call of onnxruntime; None: one for each core.
            **settings: further arguments of the class.

        Raises:
            FileNotFoundError, ValueError: no such file, or one that keras-lotr did not write.
            ImportError: onnxruntime is missing.

        Example:

        >>> landmarker = FaceLandmarker.from_onnx("presets/lotr_m_68/model.onnx")
        >>> face, = landmarker("examples/astronaut.jpg")
        >>> face.points.shape
        (68, 2)
        """
        return cls(path, detector, flip=flip, engine="onnxruntime", threads=threads, **settings)

    @property
    def contract(self):
        """The former name of `preprocessor`."""
        return self.preprocessor

    def __repr__(self):
        detector, settings = self.crop_photo.detector, self.crop_photo.settings
        settings = "".join(f", {name}={value}" for name, value in settings.items())
        runner = getattr(self.model, "runner", "onnxruntime")
        model = getattr(self.model, "name", self.model)
        return f"FaceLandmarker({model} run by {runner}, detector {detector!r}{settings})"

    @property
    def detector(self):
        """Callable: photo -> list of `Face`."""
        return self.crop_photo.loaded

    @property
    def sure_score(self):
        """See `PhotoCropper.sure_score`."""
        return self.crop_photo.sure_score

    def __call__(self, source, boxes=None, box_format="xyxy"):
        many = is_several(source)
        sources = source if many else [source]
        results = []
        given = boxes if many or boxes is None else [boxes]
        for photo in self.stream(sources, given, box_format):
            if photo.error is not None:
                raise photo.error
            results.append(photo.faces)
        return results if many else results[0]

    def stream(self, sources, boxes=None, box_format="xyxy", workers=None):
        """Find the faces of many images; only crops and results of a few are in memory at a time.

        Args:
            sources: iterable of images.
            boxes: iterable of as many arrays (F, 4), or None; None for one image: the detector
                looks there.
            box_format: see the call arguments.
            workers: number of processes that share the images, best with `threads=1`; None: this
                process alone. A script that asks for them needs `if __name__ == "__main__":`.

        Yields:
            `PhotoLandmarks` in the order of the sources. An image that cannot be read does not
            stop the others: its error is in the result.
        """
        check_several(sources)
        check_format(box_format)
        if workers is not None:
            yield from stream_in_processes(self, _pairs(sources, boxes), box_format, workers)
            return
        waiting, num_crops, num_bytes = [], 0, 0
        for source, given in _pairs(sources, boxes):
            prepared = self.crop_photo(source, given, box_format)
            waiting.append(prepared)
            num_crops += len(prepared.crops)
            num_bytes += bytes_held(source)
            is_full = max(num_crops, len(waiting)) >= _CROPS_AT_ONCE
            if is_full or num_bytes >= _BYTES_AT_ONCE:
                yield from self.finish(waiting)
                waiting, num_crops, num_bytes = [], 0, 0
        yield from self.finish(waiting)

    def finish(self, photos):
        """The landmarks of several photos, in one call of the model.

        Args:
            photos: list of `PhotoCrops`, of `crop_photo`.

        Yields:
            `PhotoLandmarks`.
        """
        crops = [crop for photo in photos for crop in photo.crops]
        found = self.landmarks_of(crops, [m for photo in photos for m in photo.matrices])
        scheme = self.preprocessor.scheme
        for photo in photos:
            landmarks = []
            for face in photo.faces:
                points, known = next(found)
                given = face.box, face.score, scheme, face.degrees
                landmarks.append(FaceLandmarks(points, *given, **known))
            yield replace(photo.photo, faces=verified(landmarks, photo.sure_score))

    def landmarks_of(self, crops, matrices):
        """The landmarks in crops, in one call of the model.

        Args:
            crops: list of F (S, S, 3) uint8.
            matrices: list of F (2, 3) `crop_from_image`.

        Yields:
            For each crop the landmarks, (N, 2) float32 image pixels, and {"sigma", "visible"} of
            `FaceLandmarks` if the model says how sure it is, or else {}.
        """
        if not crops:
            return
        crops = np.array(crops)
        has_certainty = getattr(self.model, "has_certainty", False)
        if has_certainty:
            found, sure = self.model.predict_certainty(crops, flip=self.flip)
        else:
            found = self.model.predict_points(crops, flip=self.flip)
        for number, crop_from_image in enumerate(matrices):
            image_from_crop = geometry.invert(crop_from_image)
            points, known = geometry.apply(image_from_crop, found[number]), {}
            if has_certainty:
                known["sigma"] = scale_matrices(sure[number, :, :3], image_from_crop)
                known["visible"] = sure[number, :, 3]
            yield points.astype(np.float32), known


def _hint(model):
    """Why a Keras model is no LOTR, perhaps."""
    if not hasattr(model, "get_config"):
        return ""
    return (
        ". Of what keras.models.clone_model makes of a LOTR only a plain network is left: "
        "LOTR.from_config(model.get_config()) copies it."
    )


def _pairs(sources, boxes):
    """Images with the boxes of each; None for all without any."""
    if boxes is None:
        yield from zip(sources, repeat(None), strict=False)
        return
    boxes, count, end = iter(boxes), 0, object()
    for source in sources:
        given = next(boxes, end)
        if given is end:
            raise ValueError(f"Expected boxes for each image. Received: boxes of {count} only")
        yield source, given
        count += 1
    if next(boxes, end) is not end:
        raise ValueError(f"Expected boxes for each of {count} images. Received: more than that")
