"""Where the network looks for a landmark."""

from pathlib import Path

import numpy as np
import pytest

from keras_lotr import FaceLandmarker
from keras_lotr.demo.service import ATTENTION, Service, Settings, checked_image
from keras_lotr.inference.attention import attention_map, draw_attention

GROUP = Path(__file__).parents[1] / "examples" / "group.jpg"


def test_attention_lies_on_the_face():
    landmarker = FaceLandmarker.from_preset("lotr_m_68")
    image = checked_image(GROUP.read_bytes())
    face = landmarker(image)[0]
    one, other = (attention_map(landmarker, image, face, landmark) for landmark in (8, 27))
    assert one.shape == image.shape[:2]
    assert one.max() == pytest.approx(1, abs=0.02)
    assert not one[:, 400:].any()  # the crop of the large face ends before
    # The chin looks lower than the bridge of the nose.
    rows = np.arange(480)[:, None]
    assert (one * rows).sum() / one.sum() > (other * rows).sum() / other.sum()
    assert draw_attention(image, one).shape == image.shape
    with pytest.raises(ValueError, match=r"Expected a landmark of 0\.\.67. Received: 68"):
        attention_map(landmarker, image, face, 68)
    answer = Service().annotate(GROUP.read_bytes(), Settings("lotr_m_68", (ATTENTION,), 8))
    assert (answer.picture != image).any()
