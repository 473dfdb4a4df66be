"""Face crops of given images, from which an int8 file learns its ranges."""

import numpy as np

from keras_lotr.images.folders import expand
from keras_lotr.images.reading import read_image
from keras_lotr.inference.detectors import load_detector, of_part
from keras_lotr.inference.photo_crops import crop_faces

MAX_CROPS = 128


def calibration_crops(sources, preprocessor):
    """The faces that the library's own detector finds in images.

    Args:
        sources: list of images, folders or patterns.
        preprocessor: `Preprocessor`.

    Returns:
        (F, S, S, 3) uint8 RGB, at most `MAX_CROPS`: of the first images.

    Raises:
        ValueError: there is no face in them.

    Example:

    >>> from keras_lotr.preprocessor import Preprocessor
    >>> calibration_crops(["examples/astronaut.jpg"], Preprocessor("ibug68", 64)).shape
    (1, 64, 64, 3)
    """
    detect, crops = of_part(load_detector(), preprocessor.landmarks_in_box), []
    for picture in expand(sources):
        image = read_image(picture)
        crops += crop_faces(image, detect(image), preprocessor)[1]
        if len(crops) >= MAX_CROPS:
            break
    if not crops:
        raise ValueError(f"Expected images with faces. None was found in {', '.join(sources)}.")
    return np.array(crops[:MAX_CROPS])
