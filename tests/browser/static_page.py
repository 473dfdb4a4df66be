"""Builds and serves the page in web, and runs its modules in Node."""

import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import cv2
from required import missing

STATIC = Path(__file__).parents[2] / "web"
FACTS = json.loads((STATIC / "src" / "facts.json").read_text())


def build(folder):
    """Make the page as `npm run build` does, but into this folder."""
    if shutil.which("npm") is None:
        missing("browser", "needs npm")
    if not (STATIC / "node_modules").is_dir():
        installed = subprocess.run(["npm", "ci"], cwd=STATIC, capture_output=True, text=True)
        if installed.returncode:
            missing("browser", f"npm ci failed: {installed.stderr[-300:]}")
    command = ["npm", "run", "build", "--", "--outDir", str(folder), "--emptyOutDir"]
    built = subprocess.run(command, cwd=STATIC, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr


@contextlib.contextmanager
def serve(folder):
    """A static host; gives its address."""
    handler = functools.partial(_QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def run_node(module, expression, values):
    """The value of a JavaScript expression of `m`, a module of the page, and of `v`, the values."""
    if shutil.which("node") is None:
        missing("browser", "needs node")
    script = f"""
        import {{ readFileSync }} from "node:fs";
        import * as m from "{(STATIC / "src" / module).as_uri()}";
        const v = JSON.parse(readFileSync(0, "utf8"));
        console.log(JSON.stringify({expression}));
    """
    run = subprocess.run(
        ["node", "--input-type=module", "--eval", script],
        input=json.dumps(values),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def write_video(path, frames):
    """A Y4M file of images, (H, W, 3) uint8 RGB, both sides even, 20 a second."""
    height, width = frames[0].shape[:2]
    planes = [cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes() for frame in frames]
    header = f"YUV4MPEG2 W{width} H{height} F20:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(header + b"".join(b"FRAME\n" + plane for plane in planes))
