"""The demo in a browser: `keras-lotr demo`. Needs gradio (the extra `demo`)."""
