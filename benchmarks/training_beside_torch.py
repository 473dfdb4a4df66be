"""LOTR-M on each backend beside a plain torch network; needs torch and timm.

    python benchmarks/training_beside_torch.py [--seconds 60] [--output results/training.json]

The plain network is what one would write by hand: timm's MobileNetV2 in channels_last layout, a 1x1
convolution, torch's own Transformer layers as in DETR, three linear layers, AdamW. Measured are one
crop, and a training step in which what the presets' recipes freeze is frozen: batch norm, and the
backbone's stem and first three stages; the optimizer is that of the recipes, without the average of
the weights, which the plain network has not. Each runs in a process of its own, in turns, and
computes in float32 on the CPU.
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

net = Net().to(memory_format=torch.channels_last)
frozen = ("conv_stem", "bn1", "blocks.0.", "blocks.1.", "blocks.2.")
for name, parameter in net.backbone.named_parameters():
    parameter.requires_grad = not name.startswith(frozen)
for module in net.backbone.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.eval().requires_grad_(False)
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
images, points = torch.rand(BATCH, 3, 192, 192) * 255, torch.rand(BATCH, 68, 2)
images = images.to(memory_format=torch.channels_last)
def step():
    optimizer.zero_grad(set_to_none=True)
    error = (net(images) - points).abs()
    torch.log1p(error).mean().backward()
    nn.utils.clip_grad_norm_(net.parameters(), 10.0)
    optimizer.step()
def forward():
    with torch.no_grad():
        net(images)
if TIMED == "forward":
    net.eval()
"""

OURS = """
import keras, numpy as np
from keras_lotr import LOTR, SmoothWing
from keras_lotr.training.recipe import Recipe
if keras.backend.backend() == "torch":
    import torch
    torch.set_num_threads(THREADS)
model = LOTR.from_variant("lotr_m", 68)
frozen = ("conv_stem", "bn1", "blocks_0_", "blocks_1_", "blocks_2_")
for layer in model.layers:
    if layer.name.startswith(frozen) or isinstance(layer, keras.layers.BatchNormalization):
        layer.trainable = False
model.compile(Recipe(ema=0).optimizer_for(model, 10_000), SmoothWing())
images = np.random.rand(BATCH, 192, 192, 3).astype("float32") * 255
points = np.random.rand(BATCH, 68, 2).astype("float32") * 192
def step():
    model.train_on_batch(images, points)
def forward():
    model.predict_on_batch(images)
"""

MEASURE = """
import json, time
timed = {"step": step, "forward": forward}[TIMED]
for _ in range(3): timed()
times, began = [], time.monotonic()
while time.monotonic() - began < SECONDS:
    start = time.perf_counter(); timed(); times.append(time.perf_counter() - start)
print(json.dumps(times))
"""


def times(code, backend, numbers):
    """Seconds of steps, in a process of its own."""
    code = "\n".join([f"{name} = {value!r}" for name, value in numbers.items()] + [code, MEASURE])
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
@click.option("--threads", default=2, show_default=True, help="Of a training step.")
@click.option("--batch", default=16, show_default=True, help="Of a training step.")
@click.option("--backends", default="tensorflow,jax,torch", show_default=True)
@click.option("--output", type=Path)
def main(seconds, threads, batch, backends, output):
    loops = {BY_HAND: (TORCH_LOOP, "torch")}
    loops |= {f"LOTR-M, {name}": (OURS, name) for name in backends.split(",")}
    steps = {"SECONDS": seconds / 3, "THREADS": threads, "BATCH": batch, "TIMED": "step"}
    crops = {**steps, "THREADS": 1, "BATCH": 1, "TIMED": "forward"}
    of_a_step, of_a_crop = medians(loops, steps), medians(loops, crops)
    results = {
        "machine": machine(),
        "threads": threads,
        "batch": batch,
        "crops_per_second": {name: round(batch / t, 2) for name, t in of_a_step.items()},
        "crop_ms": {name: round(1000 * t, 2) for name, t in of_a_crop.items()},
    }
    print(training_table(results))
    if output:
        output.write_text(json.dumps(results, indent=1) + "\n")


def medians(loops, numbers):
    """{name: median seconds} of what is timed, in three turns."""
    measured = {name: [] for name in loops}
    for _ in range(3):
        for name, (code, backend) in loops.items():
            measured[name] += times(code, backend, numbers)
    return {name: float(np.median(seconds)) for name, seconds in measured.items()}


if __name__ == "__main__":
    main()
