"""A training step of LOTR-M on each backend beside a plain torch loop; needs torch and timm.

    python benchmarks/training_beside_torch.py [--seconds 60] [--output results/training.json]

The torch loop is what one would write by hand: timm's MobileNetV2, a 1x1 convolution, torch's own
Transformer layers as in DETR, three linear layers, AdamW. Each runs in a process of its own, in
turns, and computes in float32 on the CPU.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
from speed_table import BY_HAND, training_table
from timing import machine

TORCH_LOOP = """
import torch
from torch import nn
for operator in ("nms", "qnms"):  # for a torchvision without its compiled operators
    try:
        schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define("torchvision::" + operator, schema)
    except RuntimeError:
        pass
import timm
torch.set_num_threads(THREADS)

class Net(nn.Module):
    def __init__(self, landmarks=68, dim=64):
        super().__init__()
        self.backbone = timm.create_model("mobilenetv2_100", features_only=True, out_indices=(4,))
        self.project = nn.Conv2d(320, dim, 1)
        sizes = dict(d_model=dim, nhead=8, dim_feedforward=512, dropout=0.0, batch_first=True,
                     norm_first=True)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**sizes), 2, nn.LayerNorm(dim), enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(**sizes), 2, nn.LayerNorm(dim))
        self.positions = nn.Parameter(torch.randn(36, dim))
        self.queries = nn.Parameter(torch.randn(landmarks, dim))
        self.head = nn.Sequential(nn.Linear(dim, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                                  nn.Linear(512, 2))
    def forward(self, x):
        x = (x - 127.5) / 127.5
        x = self.project(self.backbone(x)[0]).flatten(2).transpose(1, 2) + self.positions
        x = self.decoder(self.queries.expand(len(x), -1, -1), self.encoder(x))
        return self.head(x)

net = Net()
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
images, points = torch.rand(BATCH, 3, 192, 192) * 255, torch.rand(BATCH, 68, 2)
def step():
    optimizer.zero_grad(set_to_none=True)
    error = (net(images) - points).abs()
    torch.log1p(error).mean().backward()
    nn.utils.clip_grad_norm_(net.parameters(), 10.0)
    optimizer.step()
"""

OURS = """
import keras, numpy as np
from keras_lotr import LOTR, SmoothWing
if keras.backend.backend() == "torch":
    import torch
    torch.set_num_threads(THREADS)
model = LOTR.from_variant("lotr_m", 68)
model.compile(keras.optimizers.AdamW(1e-3, clipnorm=10.0), SmoothWing())
images = np.random.rand(BATCH, 192, 192, 3).astype("float32") * 255
points = np.random.rand(BATCH, 68, 2).astype("float32") * 192
def step():
    model.train_on_batch(images, points)
"""

MEASURE = """
import json, time
for _ in range(3): step()
times, began = [], time.monotonic()
while time.monotonic() - began < SECONDS:
    start = time.perf_counter(); step(); times.append(time.perf_counter() - start)
print(json.dumps(times))
"""


def times(code, backend, numbers):
    """Seconds of steps, in a process of its own."""
    code = "\n".join([f"{name} = {value}" for name, value in numbers.items()] + [code, MEASURE])
    threads = str(numbers["THREADS"])
    environment = {
        **os.environ,
        **dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), threads),
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    if run.returncode:
        raise SystemExit(run.stderr.decode()[-600:])
    return json.loads(run.stdout.splitlines()[-1])


@click.command()
@click.option("--seconds", default=20.0, show_default=True, help="For each, in each of 3 turns.")
@click.option("--threads", default=2, show_default=True)
@click.option("--batch", default=32, show_default=True)
@click.option("--backends", default="tensorflow,torch", show_default=True)
@click.option("--output", type=Path)
def main(seconds, threads, batch, backends, output):
    numbers = {"SECONDS": seconds / 3, "THREADS": threads, "BATCH": batch}
    loops = {BY_HAND: (TORCH_LOOP, "torch")}
    loops |= {f"LOTR-M, {name}": (OURS, name) for name in backends.split(",")}
    measured = {name: [] for name in loops}
    for _ in range(3):
        for name, (code, backend) in loops.items():
            measured[name] += times(code, backend, numbers)
    rates = {name: round(batch / float(np.median(t)), 2) for name, t in measured.items()}
    results = {"machine": machine(), "threads": threads, "batch": batch, "crops_per_second": rates}
    print(training_table(results))
    if output:
        output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
