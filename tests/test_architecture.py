"""Who may import whom, and that importing the library loads nothing that is not needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

PACKAGE = Path(__file__).parents[1] / "keras_lotr"

# From the bottom to the top: a room imports itself and what lies below it. Modules of the root that
# are not in a folder are rooms, too; those in one row know nothing of each other but what the
# order within the row says.
ROOMS = [
    *("lazy", "unfinished", "writing", "locking", "parquet_table", "csv_table", "quiet"),
    *("number_checks", "seeds", "child_processes"),
    *("arguments", "geometry", "registration", "sentences", "scheme_checks"),
    *("landmark_scheme", "schemes", "conversions", "preprocessor", "losses", "metrics"),
    *("fused", "configured_model"),
    "images",
    "layers",
    "presets",
    "backbones",
    "running",
    *("variants", "lotr_arguments", "lotr"),
    "inference",
    "ray",
    "tracking",
    "video",
    "datasets",
    "training",
    "evaluation",
    "export",
    "detector_training",
    "publishing",
    "demo",
    "cli",
    *("recipes", "__init__", "__main__"),
]
TENSOR_SIDE = {"lotr", "variants", "fused", "layers", "backbones", "losses", "metrics"}
IMAGE_SIDE = {"geometry", "schemes", "conversions", "images", "datasets"}
BACKENDS = {"tensorflow", "jax", "torch"}
IMAGE_LIBRARIES = {"cv2", "PIL", "matplotlib", "skimage", "imageio"}


def room_of(module):
    """The room of a module such as "keras_lotr.images.reading"."""
    name = module.removeprefix("keras_lotr").lstrip(".").split(".")[0]
    return name if name in ROOMS else "__init__"  # a name of the root, such as LOTR


def imports_of(node):
    """Full names of all that a piece of code imports, inside of functions too."""
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Import):
            names |= {alias.name for alias in part.names}
        elif isinstance(part, ast.ImportFrom):
            assert part.level == 0, "a relative import"
            names |= {f"{part.module}.{alias.name}" for alias in part.names}
    return names


FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
IMPORTS = {path: imports_of(tree) for path, tree in TREES.items()}
ours = pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(PACKAGE)) for p in FILES])


def own_room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def foreign(path):
    return {name.split(".")[0] for name in IMPORTS[path]}


def test_every_module_has_a_room():
    assert {own_room(path) for path in FILES} <= set(ROOMS)
    assert len(set(ROOMS)) == len(ROOMS)


@ours
def test_rooms_import_what_lies_below(path):
    own = {room_of(name) for name in IMPORTS[path] if name.split(".")[0] == "keras_lotr"}
    if path.name != "__init__.py" or path.parent != PACKAGE:
        own.discard("__init__")  # the version, and doors that a message names
    above = [room for room in own if ROOMS.index(room) > ROOMS.index(own_room(path))]
    assert not above


@ours
def test_inference_imports_keras_lazily(path):
    if own_room(path) == "inference":
        at_the_top = ast.Module(
            [part for part in TREES[path].body if isinstance(part, ast.Import | ast.ImportFrom)], []
        )
        loaded = imports_of(at_the_top)
        assert not [name for name in loaded if name.split(".")[0] == "keras"]
        assert not [name for name in loaded if name.startswith("keras_lotr.lotr")]


@ours
def test_tensor_side_knows_no_backend_and_no_images(path):
    if own_room(path) in TENSOR_SIDE:
        allowed = {
            "torch_layers.py": {"torch"},
            "efficientnet_weights.py": {"torch"},
            "jax_layers.py": {"jax"},
        }
        forbidden = (BACKENDS | IMAGE_LIBRARIES) - allowed.get(path.name, set())
        assert not foreign(path) & forbidden


@ours
def test_image_side_knows_no_tensors(path):
    if own_room(path) in IMAGE_SIDE:
        assert not foreign(path) & BACKENDS
        assert not [name for name in IMPORTS[path] if name.startswith("keras.ops")]
        if own_room(path) != "datasets":  # its PyDataset is the door to `fit`
            assert "keras" not in foreign(path)


@ours
def test_backends_by_name_only_where_a_file_format_speed_or_devices_need_one(path):
    of_torch = (
        "torch_layers.py",
        "efficientnet_weights.py",
        "torch_group.py",
        "torch_step.py",
        "torch_processes.py",
        "devices.py",
    )
    if path.name not in ("saved_model.py", "jax_layers.py", *of_torch):
        assert not foreign(path) & BACKENDS


LOADED = """
import sys
import keras
before = set(sys.modules)
import keras_lotr
print(*(name for name in set(sys.modules) - before if "." not in name))
"""


def test_import_loads_only_what_is_needed():
    run = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "keras_lotr" in loaded
    unwanted = BACKENDS | {
        "matplotlib", "gradio", "huggingface_hub", "keras_hub", "timm", "onnxruntime", "onnx",
        "requests", "httpx", "PIL", "click", "tqdm", "ray", "pyarrow",
    }  # fmt: skip
    assert not loaded & unwanted


def test_public_names():
    import keras_lotr

    for name in keras_lotr.__all__:
        assert getattr(keras_lotr, name).__doc__
    assert list(keras_lotr.__all__) == sorted(
        keras_lotr.__all__, key=lambda n: (n.upper() != n, n[0].islower(), n)
    )


PRINTED = """
from keras_lotr.cli import main
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.evaluation import evaluate
from keras_lotr.export import export
from keras_lotr.images import read_image
from keras_lotr.recipes import Recipe
from keras_lotr.training import Recipe, build, train
import keras_lotr.evaluation.evaluation, keras_lotr.export.exporter, keras_lotr.training.training
from keras_lotr.evaluation import evaluate
from keras_lotr.export import export
from keras_lotr.training import train
assert all(map(callable, (evaluate, export, train, main)))
"""


def test_import_paths_of_documents():
    subprocess.run([sys.executable, "-c", PRINTED], check=True)
