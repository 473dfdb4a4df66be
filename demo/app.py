"""The demo, as a Hugging Face Space or by `python demo/app.py`; the work is in keras_lotr.demo.

The models are loaded before the page is served. On onnxruntime nothing else has to be installed.
"""

from keras_lotr.demo.page import build, launch

if __name__ == "__main__":
    launch(build(engine="onnxruntime"), host="0.0.0.0", port=7860)
