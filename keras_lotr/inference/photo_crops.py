"""Photo -> the crops of its faces: read, detect, crop. What comes before any landmark model."""

from dataclasses import dataclass
from functools import cached_property

from keras_lotr import geometry
from keras_lotr.inference.boxes import check_box, check_boxes
from keras_lotr.inference.detectors import check_detector, load_detector, of_part
from keras_lotr.inference.face_detector import Face, FaceDetector
from keras_lotr.inference.photo_landmarks import PhotoLandmarks
from keras_lotr.inference.reduced_reading import (
    face_in_image,
    image_from_reduced,
    read_for_faces,
)
from keras_lotr.inference.verification import CANDIDATE_SCORE, with_middle
from keras_lotr.preprocessor import Preprocessor


@dataclass(frozen=True, eq=False)
class PhotoCrops:
    """The faces of a photo as a landmark model sees them.

    Attributes:
        photo: `PhotoLandmarks` with the photo's size and no faces yet, or with its error.
        faces: list of F `Face`, image pixels.
        matrices: list of F (2, 3) `crop_from_image`.
        crops: list of F (S, S, 3) uint8.
        sure_score: `PhotoCropper.sure_score`; None where the boxes were given.
    """

    photo: PhotoLandmarks
    faces: list = ()
    matrices: list = ()
    crops: list = ()
    sure_score: float | None = None


@dataclass(frozen=True, eq=False)
class PhotoCropper:
    """Reads photos, finds their faces and crops them; needs no landmark model.

    Attributes:
        preprocessor: `Preprocessor` of the landmark model.
        detector: as of `load_detector`; loaded when the first photo without boxes comes.
        settings: {name: value} of a detector that is named.
        proposes: whether the detector proposes more faces than it is sure of, because the landmark
            model decides which are faces (`keras_lotr.inference.verification`).
    """

    preprocessor: Preprocessor
    detector: object
    settings: dict
    proposes: bool = False

    def __post_init__(self):
        if self.detector is not None:  # boxes are always given then
            check_detector(self.detector, **self.settings)

    @cached_property
    def loaded(self):
        """Callable: photo -> list of `Face` that the detector is sure of."""
        return self._of_landmarks(load_detector(self.detector, **self.settings))

    @cached_property
    def proposing(self):
        """The detector, or one that proposes more than that is sure of."""
        if not self.proposes:
            return self.loaded
        settings = {**self.settings, "candidates": CANDIDATE_SCORE}
        return self._of_landmarks(load_detector(self.detector, **settings))

    def _of_landmarks(self, detector):
        return of_part(detector, self.preprocessor.landmarks_in_box)

    @property
    def sure_score(self):
        """The threshold of a detector whose faces the landmarks verify; None: it is believed."""
        return self.proposing.threshold if self.proposes else None

    def __call__(self, source, boxes=None, box_format="xyxy"):
        """`PhotoCrops` of a photo; one that cannot be read, or whose boxes are not valid, has the
        error."""
        if boxes is None:
            detector = self.proposing  # that it is missing is no fault of the photo
        asks = boxes is None and isinstance(detector, FaceDetector)
        min_face_size = detector.min_face_size if asks else None
        sure_score = self.sure_score if boxes is None else None
        try:
            image, divisor = read_for_faces(source, min_face_size, self.preprocessor)
            if boxes is not None:
                faces = faces_of_boxes(boxes, image.shape, box_format)
            else:
                faces = detector.find(image, divisor) if asks else detector(image)
                if self.proposes:
                    faces = with_middle(faces, image.shape, sure_score)
        except (ValueError, OSError) as error:
            return PhotoCrops(PhotoLandmarks(source, error=error))
        matrices, crops = crop_faces(image, faces, self.preprocessor)
        if divisor > 1:
            larger = image_from_reduced(divisor)
            smaller = geometry.invert(larger)
            matrices = [geometry.compose(matrix, smaller) for matrix in matrices]
            faces = [face_in_image(face, larger) for face in faces]
        height, width = (side * divisor for side in image.shape[:2])
        photo = PhotoLandmarks(source, width=width, height=height)
        return PhotoCrops(photo, faces, matrices, crops, sure_score)


def crop_faces(image, faces, preprocessor):
    """What a model with this preprocessor sees of the faces of a photo.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: list of F `Face`.
        preprocessor: `Preprocessor`.

    Returns:
        matrices: list of F (2, 3) `crop_from_image`.
        crops: list of F (S, S, 3) uint8.
    """
    size = preprocessor.image_size
    matrices = [geometry.crop_from_box(f.box, size, preprocessor.margin, f.degrees) for f in faces]
    return matrices, [geometry.warp(image, matrix, size) for matrix in matrices]


def faces_of_boxes(boxes, shape, box_format="xyxy"):
    """Boxes that a user gave, as faces; arguments and errors as of `check_boxes`.

    What a detector or a landmarker found may be given as well: its scores and rotations are kept.
    """
    if hasattr(boxes, "box"):
        boxes = [boxes]
    if isinstance(boxes, list | tuple) and boxes and all(hasattr(f, "box") for f in boxes):
        return [Face(check_box(f.box, shape), None, f.score, f.degrees) for f in boxes]
    return [Face(box, score=None) for box in check_boxes(boxes, shape, box_format)]
