"""What the demo hands out: images as files that are whole before anybody knows their names."""

import os
import tempfile

from PIL import Image


def handed_out(component, picture):
    """The path of a new file with a picture, which Gradio copies, and deletes when it is old.

    Of an array Gradio makes a file that is named by its content, and writes it again whenever the
    content is the same: another visitor who is just downloading it gets half of it.

    Args:
        component: `gradio.Image` or `gradio.Gallery` that shows the picture.
        picture: (H, W, 3) uint8 RGB.
    """
    os.makedirs(component.GRADIO_CACHE, exist_ok=True)
    ending = f".{component.format}"
    handle, path = tempfile.mkstemp(ending, "landmarks_", component.GRADIO_CACHE)
    with open(handle, "wb") as file:
        Image.fromarray(picture).save(file, component.format)
    component.temp_files.add(path)
    return path
