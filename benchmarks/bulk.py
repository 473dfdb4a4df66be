"""Bulk prediction on Ray beside one process and a pool: speed, memory, a worker that is killed.

    python benchmarks/bulk.py --photos FOLDER --output results/bulk.json

Takes half an hour on two cores. The photos of FOLDER are repeated under other names until there are
`--count`. They are predicted

- by `keras-lotr predict`, each photo once;
- by `keras-lotr predict --workers 1`, bound to one core, and `--workers 2`, likewise;
- by `keras-lotr predict --ray --workers 2`, all, while a worker is killed in the middle; and by a
  second run, which must find nothing to do.

Every photo must be in each result once, with the same faces. Needs the extra "ray" and Linux.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from process_tree import descendants, memory, name_of
from timing import machine

COMMAND = "from keras_lotr.cli import main; main()"
WORKER = "ray::MapWorker"  # a process in which images are looked at
STAGES = 200  # photos whose stages are timed one by one


@click.command()
@click.option("--photos", type=Path, required=True, help="Folder of photos.")
@click.option("--count", default=20_000, show_default=True, help="Photos for Ray.")
@click.option("--preset", default="lotr_m_68", show_default=True)
@click.option("--output", type=Path, help="JSON file of the results [standard output].")
def main(photos, count, preset, output):
    originals = sorted(path for path in photos.resolve().iterdir() if path.is_file())[:count]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        once = links(folder / "once", originals, len(originals))
        many = links(folder / "many", originals, count)
        measured = {"machine": machine(), "preset": preset, "photos": len(originals)}
        measured["bytes"] = round(np.mean([path.stat().st_size for path in originals]))
        measured["stages"] = stages(originals[:: max(len(originals) // STAGES, 1)], preset)
        given = ["predict", "--preset", preset, "--engine", "onnxruntime", "--output"]
        plain = [*given, str(folder / "plain.jsonl"), str(once)]
        measured["one process"] = run(plain, len(originals))
        alone = [*given, str(folder / "alone.jsonl"), str(once), "--workers", "1"]
        measured["one process, one core"] = run(alone, len(originals), one_core=True)
        pool = [*given, str(folder / "pool.jsonl"), str(once), "--workers", "2"]
        measured["pool of two processes"] = run(pool, len(originals))
        on_ray = [*given, str(folder / "faces"), str(many), "--ray", "--workers", "2"]
        speed = measured["one process, one core"]["photos_per_second"]
        killed_after = count / speed / 4  # the middle, if Ray is twice as fast
        measured["Ray, two workers, one killed"] = run(on_ray, count, killed_after=killed_after)
        measured["second run"] = run(on_ray, count)
        expected = read_lines(folder / "plain.jsonl")
        for name in ("alone", "pool"):
            found = read_lines(folder / f"{name}.jsonl")
            assert found.keys() == expected.keys(), name
            furthest = max(apart(found[image], faces) for image, faces in expected.items())
            print(f"{name}: at most {furthest:.4f} pixels from one process", file=sys.stderr)
        measured["check"] = check(folder / "faces", many, once, expected)
        size = sum(path.stat().st_size for path in (folder / "faces").iterdir())
        measured["check"]["bytes_per_face"] = round(size / measured["check"]["faces"])
    text = json.dumps(measured, indent=2) + "\n"
    click.echo(text)
    if output:
        output.write_text(text, encoding="utf-8")


def links(folder, originals, count):
    """A folder of `count` links to photos: 000000.jpg, 000001.jpg, ..."""
    folder.mkdir()
    for number in range(count):
        original = originals[number % len(originals)]
        (folder / f"{number:06}{original.suffix}").symlink_to(original)
    return folder


def run(arguments, count, one_core=False, killed_after=None):
    """Run the command; what it took, with memory in MB over time (of all its processes)."""
    bound = ["taskset", "-c", "0"] if one_core else []
    command = [*bound, sys.executable, "-c", COMMAND, *arguments]
    start, samples, killed = time.monotonic(), [], None
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(0.5)
        seconds = time.monotonic() - start
        processes = descendants(process.pid)
        if killed_after is not None and killed is None and seconds > killed_after:
            killed = next((p for p in processes if name_of(p).startswith(WORKER)), None)
            if killed is not None:
                os.kill(killed, signal.SIGKILL)
        if seconds > len(samples) * 10:
            samples.append(round(sum(map(memory, processes))))
    seconds = time.monotonic() - start
    said = process.stderr.read().decode()
    print(*arguments[-4:], said[-300:], file=sys.stderr)
    assert process.returncode in (0, 1), said
    assert killed_after is None or killed is not None, "no worker was found to be killed"
    return {
        "seconds": round(seconds, 1),
        "photos_per_second": round(count / seconds, 2),
        "megabytes_every_10_s": samples,
    }


def stages(photos, preset):
    """Mean milliseconds of a photo in each stage, its crops and megapixels; one thread."""
    import cv2

    from keras_lotr import FaceLandmarker
    from keras_lotr.images.reading import read_image
    from keras_lotr.inference.photo_crops import crop_faces

    cv2.setNumThreads(1)
    landmarker = FaceLandmarker(preset, engine="onnxruntime", threads=1)
    detect, times, crops_in_all, pixels = landmarker.crop_photo.proposing, [], 0, 0
    for photo in photos:
        began = [time.perf_counter()]
        image = read_image(photo)
        began.append(time.perf_counter())
        found = detect(image)
        began.append(time.perf_counter())
        matrices, crops = crop_faces(image, found, landmarker.preprocessor)
        began.append(time.perf_counter())
        list(landmarker.landmarks_of(crops, matrices))
        began.append(time.perf_counter())
        times.append(np.diff(began))
        crops_in_all += len(crops)
        pixels += image.shape[0] * image.shape[1]
    names = "decode", "detect", "crop", "landmarks"
    mean = dict(zip(names, (1000 * np.mean(times, axis=0)).round(2).tolist(), strict=True))
    each = {"crops": crops_in_all / len(photos), "megapixels": pixels / 1e6 / len(photos)}
    return {**mean, **{name: round(value, 3) for name, value in each.items()}}


def read_lines(path):
    """{file name: faces} of a .jsonl file."""
    entries = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {Path(entry["source"]).name: entry["faces"] for entry in entries}


def apart(faces, others):
    """Pixels between the landmarks of the same faces, at most.

    How many crops a network has at once changes the last bits of what it finds.
    """
    furthest = 0.0
    for found, right in zip(faces, others, strict=True):
        assert found.keys() == right.keys() and found["scheme"] == right["scheme"]
        difference = np.subtract(found["points"], right["points"])
        furthest = max(furthest, float(np.abs(difference).max()))
    return furthest


def check(output, many, once, expected):
    """Compare the Parquet files with what one process found; numbers of what is in them."""
    from keras_lotr.inference.saved_results import read_entries

    # A name among the many -> the name of the same photo in the other folder.
    names = {path.resolve(): path.name for path in once.iterdir()}
    wanted = {path.name: expected.get(names[path.resolve()]) for path in many.iterdir()}
    seen, faces, furthest = [], 0, 0.0
    for file in output.iterdir():
        for entry in read_entries(file):
            name = Path(entry["source"]).name
            seen.append(name)
            faces += len(entry["faces"])
            furthest = max(furthest, apart(entry["faces"], wanted[name]))
    failed = sorted(name for name, right in wanted.items() if right is None)
    lost = sorted({name for name, right in wanted.items() if right is not None} - set(seen))
    assert not lost and len(seen) == len(set(seen)), f"lost: {lost[:5]}"
    return {
        "photos": len(seen),
        "failed": len(failed),
        "faces": faces,
        "lost": 0,
        "doubled": 0,
        "largest_difference_pixels": round(furthest, 4),
    }


if __name__ == "__main__":
    main()
