"""Who may import whom, and that importing the library loads nothing that is not needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "keras_lotr"

# Leaves import nothing of ours, but that metrics and crop_contract read landmark schemes.
MAY_IMPORT = {
    "geometry": set(),
    "landmark_scheme": set(),
    "schemes": {"landmark_scheme"},
    "conversions": {"schemes"},
    "losses": set(),
    "writing": set(),
    "safetensors_io": {"writing"},
    "arguments": set(),
    "configured_model": {"arguments"},
    "lotr_arguments": {"arguments", "crop_contract", "schemes"},
    "boxes": {"geometry"},
    "crop_batches": {"crop_contract"},
    "keras_model": {"crop_batches"},
    "engine": {"lotr", "onnx_model", "preset_files"},
    "face_pyramid": {"geometry"},
    "yunet": {"hub"},
    "metrics": {"losses", "schemes"},
    "layers": {"layers"},
    "hub": set(),
    "hub_upload": {"hub"},
    "preset_checks": {"safetensors_io", "seeds"},
    "preset_files": {"hub", "writing"},
    "backbones": {"arguments", "backbones", "configured_model", "hub", "safetensors_io"},
    "datasets": {"conversions", "datasets", "geometry", "image_size", "images", "schemes"},
    "shape_modes": set(),
    "reports": {"run_files", "schemes"},
    "card_checks": {"preset_files", "reports"},
    "run_files": {"preset_files"},
    "quiet": set(),
    "preset_table": {"preset_files"},
    "figures": {"datasets", "losses"},
    "crop_contract": {"schemes"},
    "mean_shape": {"layers"},
    "preset_config": {"configured_model", "preset_checks", "preset_files", "safetensors_io"},
    "presets": {
        "arguments",
        "configured_model",
        "crop_contract",
        "mean_shape",
        "preset_config",
        "preset_files",
        "safetensors_io",
    },
    "lotr": {
        "arguments",
        "backbones",
        "configured_model",
        "crop_contract",
        "keras_model",
        "layers",
        "losses",
        "lotr_arguments",
        "mean_shape",
        "presets",
    },
    "mixture": {"layers", "lotr", "mean_shape", "safetensors_io"},
    "complexity": set(),
    "checkpoints": {"preset_files", "run_files", "safetensors_io"},
    "seeds": set(),
    "memory": set(),
    "training_parts": set(),
    "detector": {
        "arguments",
        "backbones",
        "checkpoints",
        "configured_model",
        "datasets",
        "detector",
        "export_check",
        "geometry",
        "images",
        "onnx_graph",
        "onnx_layers",
        "preset_files",
        "presets",
        "safetensors_io",
        "seeds",
    },
    "onnx_fold": set(),
    "onnx_activations": set(),
    "onnx_convolutions": {"onnx_activations"},
    "onnx_arithmetic": {"onnx_convolutions"},
    "onnx_layers": {"onnx_activations", "onnx_arithmetic", "onnx_convolutions"},
    "onnx_graph": {"onnx_fold", "preset_files"},
    "onnx_lotr": {"onnx_convolutions", "onnx_graph", "onnx_layers"},
    "onnx_model": {"crop_batches", "crop_contract", "preset_files", "schemes"},
    "export_check": set(),
    "export_float32": {"onnx_layers", "presets"},
    "export_onnx": {"export_check", "export_float32", "onnx_lotr", "onnx_model", "preset_files"},
    "export_openvino": {"export_check", "export_float32", "export_onnx", "onnx_model", "writing"},
    "export_litert": {
        "export_check",
        "export_float32",
        "export_onnx",
        "onnx_layers",
        "onnx_model",
        "preset_files",
    },
    "export_saved_model": {"export_check", "export_float32", "export_onnx", "writing"},
    "quantize": {"export_check", "export_onnx", "onnx_model", "preset_files"},
    "calibration": {"face_detector", "images", "landmarker"},
    "face_detector": {"boxes", "face_pyramid", "images", "preset_files", "yunet"},
    "group_recipe": {"schemes"},
    "starting_model": {
        "backbones",
        "lotr",
        "preset_files",
        "presets",
        "recipes",
        "safetensors_io",
    },
    "optimizers": set(),
    "validation": {"datasets", "metrics"},
    "recipes": {"datasets", "group_recipe", "hub", "lotr", "optimizers", "presets", "schemes"},
}
VERBS = {"training", "evaluation", "export", "publishing", "drawing", "prediction"}
TENSOR_SIDE = {"lotr", "layers", "backbones", "losses", "metrics", "complexity"}
PIXEL_SIDE = {"geometry", "schemes", "conversions", "face_detector", "drawing", "datasets"}
BACKENDS = {"tensorflow", "jax", "torch"}
PICTURES = {"cv2", "PIL", "matplotlib", "skimage", "imageio"}


def part_of(path):
    """The module or subpackage that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(path):
    """Full names of all that a file imports, inside of functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


FILES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = {path: imports_of(path) for path in FILES}
ours = pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(PACKAGE)) for p in FILES])


def own(path):
    names = [name.split(".") for name in IMPORTS[path] if name.startswith("keras_lotr.")]
    return {name[1] for name in names} - {"LOTR"}


def foreign(path):
    return {name.split(".")[0] for name in IMPORTS[path]}


@ours
def test_layers_of_the_house(path):
    part = part_of(path)
    if part in MAY_IMPORT:
        assert own(path) <= MAY_IMPORT[part]
    if part in VERBS:
        assert not own(path) & (VERBS | {"cli"}) - {part}
    if part not in {"cli", "cli_errors"}:
        assert "cli" not in own(path)


@ours
def test_tensor_side_knows_no_backend_and_no_pictures(path):
    if part_of(path) in TENSOR_SIDE:
        assert not foreign(path) & (BACKENDS | PICTURES)


@ours
def test_pixel_side_knows_no_tensors(path):
    if part_of(path) in PIXEL_SIDE:
        assert not foreign(path) & BACKENDS
        assert not [name for name in IMPORTS[path] if name.startswith("keras.ops")]
        if part_of(path) != "datasets":  # its PyDataset is the door to `fit`
            assert "keras" not in foreign(path)


@ours
def test_backends_by_name_only_where_a_file_format_needs_one(path):
    if part_of(path) != "export_saved_model":
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
        "requests", "httpx", "PIL", "click", "tqdm",
    }  # fmt: skip
    assert not loaded & unwanted


def test_public_names():
    import keras_lotr

    for name in keras_lotr.__all__:
        assert getattr(keras_lotr, name).__doc__
    assert list(keras_lotr.__all__) == sorted(
        keras_lotr.__all__, key=lambda n: (n.upper() != n, n[0].islower(), n)
    )
