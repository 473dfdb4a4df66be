"""What `inference.py`, `peers.py` and `training_beside_torch.py` measured, as Markdown."""

BY_HAND = "torch by hand"
FACES = "faces"  # the data set that `peers.py` is run on


def speed_table(results):
    """What was measured, with the ratios that matter."""
    stage = results["stage"]
    machine = results["machine"]
    lines = [f"{machine['processor']}, {machine['cores']} cores. One crop, one thread:", ""]
    lines += ["| network, runtime | ms | over the bare backbone |", "|---|---|---|"]
    for name, ms in stage.items():
        bare = stage["bare, OpenVINO" if name.endswith("OpenVINO") else "bare, onnxruntime"]
        lines.append(f"| {name} | {ms:.2f} | {ms / bare:.2f} |")
    lines += ["", "Time per crop in batches, with onnxruntime:", ""]
    for name, times in results["batches"].items():
        ratio = times["1"] / times["64"]
        lines.append(
            f"- {counted(name)}: {times['1']:.2f} ms in batches of 1, {times['64']:.2f} ms in "
            f"batches of 64, {ratio:.2f} times as fast"
        )
    lines += ["", "An image of 640x480 pixels, one thread:", ""]
    for name, times in results["chain"].items():
        lines.append(
            f"- with {counted(name)} it takes {times['chain']:.1f} ms: {times['detector']:.1f} ms "
            f"for detection and {times['landmarks']:.1f} ms for landmarks"
        )
    lines += ["", "The detector alone, by the smallest face that it has to find:", ""]
    sizes = {f"`min_face_size={size}`": ms for size, ms in results["min_face_size"].items()}
    lines += beside_the_first(sizes)
    if "large_photo" in results:
        lines += ["", "A JPEG file of 4000x3000 pixels with one face of 900 pixels:", ""]
        lines += beside_the_first(results["large_photo"])
    if "mediapipe" in results:
        lines += ["", "The whole chain on such an image with one face, beside MediaPipe:", ""]
        lines += ["| what runs | ms | over MediaPipe, static mode |", "|---|---|---|"]
        static = results["mediapipe"]["MediaPipe, static mode"]
        for name, ms in results["mediapipe"].items():
            lines.append(f"| {name} | {ms:.1f} | {ms / static:.2f} |")
    lines += ["", "Keras, one crop, one thread:", ""]
    for backend, times in results["keras"].items():
        if "error" in times:
            lines.append(f"- {backend}: {times['error']}")
            continue
        ratio = times["predict_points"] / times["model"]
        lines.append(
            f"- {backend}: {times['model']:.1f} ms for the model alone, "
            f"{times['predict_points']:.1f} ms with `predict_points` ({ratio:.2f} times)"
        )
    grown = results["memory"]
    more = f"by {grown['grown_mb']} MB" if grown["grown_mb"] else "not"
    lines += ["", f"Memory use did {more} grow over {grown['frames']:,} frames."]
    return "\n".join(lines)


def beside_the_first(times):
    """A line for each of {name: milliseconds}; after the first, what part of its time it is."""
    (name, whole), *others = times.items()
    return [
        f"- {name}: {whole:.1f} ms",
        *(f"- {name}: {ms:.1f} ms, {ms / whole:.2f} of that" for name, ms in others),
    ]


def counted(name):
    """The plural after 1 made singular, as in 1 thread."""
    return name.removesuffix("s") if name.startswith("1 ") else name


def peers_table(results):
    """Landmarks of other libraries beside ours."""
    lines = [
        f"On {results['faces']} faces of the split `val` of `{FACES}`, with 68 landmarks, "
        "ground-truth boxes and one thread:",
        "",
    ]
    lines += ["| network | NME, all 68 | NME, inner 51 | ms per face |", "|---|---|---|---|"]
    for name, row in results["error"].items():
        ms = results["landmarks_ms"][name]
        name = name.removesuffix(" flip") + " with flip averaging" * name.endswith(" flip")
        lines.append(f"| {name} | {row['nme']:.2f} % | {row['inner']:.2f} % | {ms:.1f} |")
    return "\n".join(lines)


def peers_sentence(results):
    """The errors of those landmarks that all libraries define alike."""
    ours, dlib, mesh = (
        f"{results['error'][name]['inner']:.2f} %"
        for name in (results["preset"], "dlib", "MediaPipe mesh")
    )
    return (
        f"On {results['faces']} held-out photos of 300-W, the 51 landmarks inside of the face's "
        f"contour have an NME of {ours} with `{results['preset']}` (without flip averaging), "
        f"{dlib} with dlib, which was trained on these faces, and {mesh} with MediaPipe's mesh."
    )


def detectors_table(results):
    """Detectors of other libraries beside ours."""
    lines = ["| detector | of these faces found | ms per image of 640x480 |", "|---|---|---|"]
    for name, row in results["detectors"].items():
        name = "face_detector" if name == "ours" else name
        lines.append(f"| {name} | {row['found']:.1f} % | {row['ms']:.0f} |")
    return "\n".join(lines)


def hard_detection_table(results):
    """What `hard_detection.py` measured: hard faces that are found, and false ones."""
    columns = {
        "wider found %": "WIDER FACE",
        "wflw found %": "WFLW",
        "cfp found %": "profiles",
        "aflw80 found %": "80 pixels",
        "crowds found %": "in crowds",
        "close-ups missed": "close-ups missed",
        "faceless pieces with a face %": "false",
    }
    lines = [f"| what looks | {' | '.join(columns.values())} |", "|---" * (len(columns) + 1) + "|"]
    for name, row in results.items():
        name = {"face_detector": "`face_detector` alone", "yunet": "YuNet"}.get(name, f"`{name}`")
        cells = [f"{row.get(key, '-')}{' %' * (key in row and key[-1] == '%')}" for key in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def training_table(results):
    """One crop and training steps beside the torch network."""
    rates, crops, machine = (results[key] for key in ("crops_per_second", "crop_ms", "machine"))
    lines = [
        f"{machine['processor']}, {machine['cores']} cores. One crop on one thread; training in "
        f"batches of {results['batch']} on {results['threads']} threads:",
        "",
        "| network | ms for one crop | over torch by hand | training, crops per second | "
        "over torch by hand |",
        "|---|---|---|---|---|",
    ]
    for name, rate in rates.items():
        crop, step = crops[name] / crops[BY_HAND], rate / rates[BY_HAND]
        lines.append(f"| {name} | {crops[name]:.1f} | {crop:.2f} | {rate:.1f} | {step:.2f} |")
    return "\n".join(lines)
