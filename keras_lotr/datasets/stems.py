"""Images that belong to a label file by the stem of their name: f0.jpg to f0.pts."""

from pathlib import Path

from keras_lotr.images.names import IMAGE_ENDINGS


def images_by_stem(names):
    """The images among the files of a folder.

    Args:
        names: names of files.

    Returns:
        {stem: sorted list of the names of images with this stem}.

    Example:

    >>> images_by_stem(["f0.png", "f0.jpg", "f0.pts", "f1.jpg"])
    {'f0': ['f0.jpg', 'f0.png'], 'f1': ['f1.jpg']}
    """
    images = {}
    for name in sorted(names):
        if name.lower().endswith(IMAGE_ENDINGS):
            images.setdefault(Path(name).stem, []).append(name)
    return images


def only_image(images, labels):
    """The single image of a label file.

    Args:
        images: names of the images that may be meant.
        labels: path of the label file.

    Raises:
        ValueError: there are several, and the labels of one may be wrong for another.
    """
    if len(images) > 1:
        raise ValueError(
            f"Expected one image of the landmarks in {labels}: move the others away, or rename "
            f"them. Received: {' and '.join(images)}"
        )
    return images[0]
