"""A load test of examples/serving/app.py on this machine: `python benchmarks/serving.py`.

    python benchmarks/serving.py --output results/serving.json

Takes two minutes. 1, 8 and 32 clients send a photo each as soon as the last one is answered; then
far more clients than the server has places for send one photo each at the same moment. Each answer
must be what the library finds, or, in the overload alone, 503. Needs the extra "ray-serve".
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np
from ports import free_ports
from timing import machine

from keras_lotr import FaceLandmarker

EXAMPLES = Path(__file__).parents[1] / "examples"
PHOTO = EXAMPLES / "astronaut.jpg"
CLIENTS, OVERLOAD = (1, 8, 32), 300
PORT, METRICS = free_ports(2)


@click.command()
@click.option("--requests", default=320, show_default=True, help="For each number of clients.")
@click.option("--replicas", default=1, show_default=True)
@click.option("--output", type=Path, help="JSON file of the results [standard output].")
def main(requests, replicas, output):
    landmarker = FaceLandmarker("lotr_m_68", engine="onnxruntime", threads=1)
    expected = [face.to_dict() for face in landmarker(PHOTO)]
    app = [sys.executable, str(EXAMPLES / "serving" / "app.py"), "--replicas", str(replicas)]
    server = subprocess.Popen([*app, "--port", str(PORT), "--metrics-port", str(METRICS)])
    try:
        wait_until_healthy(server)
        measured = {"machine": machine(), "photo": PHOTO.name, "replicas": replicas}
        load(1, 20, expected)  # what is done once does not count
        measured["clients"] = {str(n): load(n, requests, expected) for n in CLIENTS}
        measured["overload"] = overload(expected)
        assert ask("GET", "/-/healthz")[0] == 200
        measured["metrics"] = metrics()
    finally:
        server.terminate()
        server.wait(60)
    text = json.dumps(measured, indent=2) + "\n"
    click.echo(text)
    if output:
        output.write_text(text, encoding="utf-8")


def ask(method, path, body=None, port=PORT, timeout=120):
    """(status, content) of a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_until_healthy(server, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if ask("POST", "/", PHOTO.read_bytes())[0] == 200:
                return
        except OSError:
            pass
        assert server.poll() is None, "the server has ended"
        time.sleep(1)
    raise TimeoutError(f"The server did not answer within {seconds} s.")


def load(clients, requests, expected):
    """Each client sends its share one after the other; milliseconds and requests per second."""
    photo, start = PHOTO.read_bytes(), time.perf_counter()

    def send(_):
        times = []
        for _ in range(requests // clients):
            began = time.perf_counter()
            status, content = ask("POST", "/", photo)
            times.append(1000 * (time.perf_counter() - began))
            assert status == 200 and json.loads(content)["faces"] == expected, (status, content)
        return times

    with ThreadPoolExecutor(clients) as pool:
        times = np.concatenate(list(pool.map(send, range(clients))))
    seconds = time.perf_counter() - start
    return {
        "requests": len(times),
        "p50_ms": round(float(np.percentile(times, 50)), 1),
        "p99_ms": round(float(np.percentile(times, 99)), 1),
        "requests_per_second": round(len(times) / seconds, 1),
    }


def overload(expected):
    """Many requests at one moment: how many of them were answered how; none may be lost."""
    photo, together = PHOTO.read_bytes(), threading.Barrier(OVERLOAD)

    def send(_):
        together.wait()
        status, content = ask("POST", "/", photo)
        return status, status != 200 or json.loads(content)["faces"] == expected

    with ThreadPoolExecutor(OVERLOAD) as pool:
        answers = list(pool.map(send, range(OVERLOAD)))
    assert all(right for _, right in answers)
    counts = Counter(status for status, _ in answers)
    assert set(counts) <= {200, 503} and sum(counts.values()) == OVERLOAD, counts
    return {"requests": OVERLOAD, "answered": counts[200], "refused_503": counts[503]}


def metrics():
    """The metrics of the example that Prometheus would read."""
    for _ in range(30):  # Ray hands them over every few seconds
        lines = ask("GET", "/metrics", port=METRICS)[1].decode().splitlines()
        found = [line for line in lines if line.startswith("ray_keras_lotr_faces")]
        if found:
            return {"faces": sum(float(line.rsplit(" ", 1)[1]) for line in found)}
        time.sleep(2)
    raise AssertionError("The metrics have no ray_keras_lotr_faces.")


if __name__ == "__main__":
    main()
