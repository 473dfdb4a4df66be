"""Many uploads at once to a running demo: `python benchmarks/demo_load.py`. Needs gradio.

Starts `keras-lotr demo --engine onnxruntime` and sends 100 images from 10 clients at the same time:
good ones of several sizes, broken ones, one that claims 900 megapixels and one that has 48. Then
one client sends 500 images in a row. Each answer is compared with the library's. Prints how long it
took and how much memory the server took.
"""

import json
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import cv2
import numpy as np
from gradio_client import Client, handle_file
from ports import free_ports
from process_tree import resident

from keras_lotr import FaceLandmarker, read_image

UPLOADS, CLIENTS, IN_A_ROW = 100, 10, 500
PATIENCE = {"timeout": 300}  # seconds, of a client
EXAMPLES = Path(__file__).parents[1] / "examples"
COMMAND = "from keras_lotr.cli import main; main()"


def pictures(folder):
    """[(path, None or what the answer must say)]."""
    group = read_image(EXAMPLES / "group.jpg")
    phone = folder / "phone.jpg"
    large = cv2.resize(group, (8000, 6000))
    cv2.imwrite(str(phone), cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
    claims = folder / "claims.png"
    size = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    claims.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b""))
    text = folder / "text.jpg"
    text.write_text("no image")
    cut = folder / "cut.jpg"
    cut.write_bytes((EXAMPLES / "group.jpg").read_bytes()[:9000])
    heavy = folder / "heavy.png"
    heavy.write_bytes(bytes(30_000_000))
    good = [(EXAMPLES / f"{name}.jpg", None) for name in ("group", "astronaut", "rendered1")]
    bad = [
        (claims, "at most 50,000,000 pixels"),
        (text, "another kind"),
        (cut, "cut off"),
        (heavy, "too large|File size|exceed|413"),
    ]
    return [*good, *good, bad[0], bad[1], (phone, None), *good, bad[2], bad[3]]


def chunk(name, data):
    """Of a PNG file, with its checksum."""
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum


def ask(client, path):
    try:
        answer = client.predict(handle_file(path), api_name="/annotate")
        return json.dumps(answer[3][0]["faces"])
    except Exception as error:  # whatever a client sees is an answer to look at
        return f"{type(error).__name__}: {error}"


@click.command(help=__doc__)
def main():
    command = [sys.executable, "-c", COMMAND, "demo", "--engine", "onnxruntime"]
    port = free_ports(1)[0]
    landmarker = FaceLandmarker.from_preset("lotr_m_68", engine="onnxruntime")
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.PIPE) as server,
    ):
        print(server.stdout.readline().decode().strip())
        jobs = pictures(Path(folder))
        expected = {
            path: json.dumps([face.to_dict() for face in landmarker(path)])
            for path, said in jobs
            if said is None
        }
        clients = [
            Client(f"http://127.0.0.1:{port}", verbose=False, httpx_kwargs=PATIENCE)
            for _ in range(CLIENTS)
        ]
        before = resident(server.pid)[0]
        tasks = [(clients[i % CLIENTS], *jobs[i % len(jobs)]) for i in range(UPLOADS)]
        start, together = time.perf_counter(), threading.Barrier(UPLOADS)

        def answer_of(client, path, said):
            answer = ask(client, path)
            right = answer == expected[path] if said is None else re.search(said, answer)
            return path.name, bool(right), time.perf_counter() - start, answer

        def run(task):
            together.wait()
            return answer_of(*task)

        with ThreadPoolExecutor(UPLOADS) as threads:
            answers = list(threads.map(run, tasks))
        after, peak = resident(server.pid)
        small = [job for job in jobs if job[0].stat().st_size < 1_000_000]
        answers += [answer_of(clients[0], *small[i % len(small)]) for i in range(IN_A_ROW)]
        last, last_peak = resident(server.pid)
        server.terminate()
    seconds = np.array([seconds for *_, seconds, _ in answers[:UPLOADS]])
    wrong = [(name, answer[:200]) for name, right, _, answer in answers if not right]
    print(f"{UPLOADS} uploads at once from {CLIENTS} clients, then {IN_A_ROW} in a row from one")
    print(f"{len(wrong)} wrong answers")
    print(f"answered after {np.median(seconds):.1f} s (median), {seconds.max():.1f} s (last)")
    print(f"server: {before:.0f} MB before, {peak:.0f} MB at most, {after:.0f} MB afterwards")
    print(f"after {IN_A_ROW} in a row: {last_peak:.0f} MB at most, {last:.0f} MB")
    for name, answer in wrong:
        print(f"WRONG {name}: {answer}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
