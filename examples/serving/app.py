"""Face landmarks over HTTP, on Ray Serve: `python examples/serving/app.py`.

    curl --data-binary @examples/group.jpg http://127.0.0.1:8000/

answers as `keras-lotr predict` does. Photos that come at the same time share a call of the network.
`/-/healthz` says whether the server is well; Prometheus reads the metrics at port 8080.
"""

import asyncio
import os
import signal

import click
import numpy as np

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers

import ray  # noqa: E402
from ray import serve  # noqa: E402
from ray.util.metrics import Counter, Histogram  # noqa: E402
from starlette.responses import JSONResponse  # noqa: E402

from keras_lotr import FaceLandmarker  # noqa: E402

LARGEST = 20_000_000  # bytes of a photo
AT_ONCE = 16  # photos in a call of the network
# A replica has two calls' worth of photos at a time, and as many wait at the door; more are
# answered 503 at once, so that a client can ask another server or come again later.
LIMITS = {"max_ongoing_requests": 2 * AT_ONCE, "max_queued_requests": 2 * AT_ONCE}


async def content_of(request):
    """The bytes of a photo; None: it is too large, which need not be said in its header."""
    if int(request.headers.get("content-length", 0)) > LARGEST:
        return None
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > LARGEST:
            return None
    return bytes(content)


@serve.deployment(ray_actor_options={"num_cpus": 1}, health_check_period_s=10, **LIMITS)
class Landmarks:
    """A replica: one process with a landmarker of its own."""

    def __init__(self, preset):
        self.landmarker = FaceLandmarker(preset, engine="onnxruntime", threads=1)
        self.faces = Counter("keras_lotr_faces", "Faces that were found.")
        self.batch = Histogram("keras_lotr_batch", "Photos in a batch.", boundaries=[1, 4, 8, 16])

    @serve.batch(max_batch_size=AT_ONCE, batch_wait_timeout_s=0.005)
    async def find(self, photos):
        self.batch.observe(len(photos))
        # In a thread: while it computes, the replica goes on to take and to refuse requests.
        return await asyncio.to_thread(lambda: list(self.landmarker.stream(photos)))

    async def __call__(self, request):
        content = await content_of(request)
        if content is None:
            return JSONResponse({"error": f"Expected at most {LARGEST:,} bytes."}, 413)
        photo = await self.find(content)
        if photo.error is not None:
            return JSONResponse({"error": str(photo.error)}, 400)
        if photo.faces:  # a counter refuses to count nothing
            self.faces.inc(len(photo.faces))
        found = photo.to_dict()
        return JSONResponse({name: found[name] for name in ("width", "height", "faces")})

    def check_health(self):
        """Ray replaces a replica that raises here, or that does not answer."""
        side = self.landmarker.preprocessor.image_size
        points = self.landmarker.model.predict_points(np.zeros((1, side, side, 3), np.uint8))
        if not np.isfinite(points).all():
            raise RuntimeError("The landmarks are not finite.")


@click.command()
@click.option("--preset", default="lotr_m_68", show_default=True)
@click.option("--replicas", default=1, show_default=True, help="Processes, best one per core.")
@click.option("--port", default=8000, show_default=True)
@click.option("--metrics-port", default=8080, show_default=True)
def main(preset, replicas, port, metrics_port):
    """Serve until Ctrl+C is pressed or SIGTERM comes."""
    ray.init(num_cpus=replicas + 1, include_dashboard=False, _metrics_export_port=metrics_port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl+C does
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    try:
        serve.run(Landmarks.options(num_replicas=replicas).bind(preset), blocking=True)
    except KeyboardInterrupt:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
