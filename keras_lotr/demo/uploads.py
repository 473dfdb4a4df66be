"""What reaches the demo from outside: images as bytes, and requests of limited size."""

import base64
import binascii
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from keras_lotr.demo.service import MAX_BYTES


def picture_input(**settings):
    """A `gradio.Image` that gives the bytes of its file, which nobody has opened yet.

    By itself it opens the file with Pillow, whatever its size, before a limit can be looked at.

    Args:
        **settings: of `gradio.Image`.
    """
    picture = gr.Image(**settings)
    # A class of its own would be a "custom component", for which Gradio writes files beside it. A
    # handler must give it plain values: from `gr.update` Gradio makes a new one of its own kind.
    picture.preprocess = _bytes_of
    return picture


def _bytes_of(payload):
    if payload is None:
        return None
    if payload.url and payload.url.startswith("data:"):
        return _of_data_url(payload.url)
    return _uploaded(payload.path).read_bytes()


def _uploaded(path):
    """The path of a file that a visitor uploaded.

    Gradio checks a path only where the request says that it is one of a file; other requests could
    name any image on the server.
    """
    folder = Path(get_upload_folder()).resolve()
    path = Path(path or "").resolve()
    if not (path.is_relative_to(folder) and path.is_file()):
        raise gr.Error("Expected a file that was uploaded here.", print_exception=False)
    return path


def _of_data_url(url):
    try:
        return base64.b64decode(url.partition(",")[2][: 2 * MAX_BYTES], validate=True)
    except binascii.Error:
        raise gr.Error("Expected an image in base64.", print_exception=False) from None


def told(control):
    """Have a control tell in a sentence what it cannot take, which is no news for the server's log.

    Args:
        control: component of Gradio.
    """
    preprocess = control.preprocess

    def checked(payload):
        try:
            return preprocess(payload)
        except gr.Error as error:
            raise gr.Error(error.message, print_exception=False) from None
        except Exception:  # what Python says of a text that is compared with a number, and so on
            said = f"Expected another value for {control.label!r}. Received: {repr(payload)[:100]}"
            raise gr.Error(said, print_exception=False) from None

    control.preprocess = checked


class LimitBody:
    """ASGI middleware: a request with a larger body is answered 413 and not read further.

    Args:
        app: the ASGI application.
        limit: bytes.
    """

    def __init__(self, app, limit):
        self.app, self.limit = app, limit

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.limit:
            return await self._refuse(send)
        received = 0

        async def limited():
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise _TooLarge
            return message

        try:
            await self.app(scope, limited, send)
        except _TooLarge:
            await self._refuse(send)

    @staticmethod
    async def _refuse(send):
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": b"The request is too large."})


class _TooLarge(Exception):
    pass
