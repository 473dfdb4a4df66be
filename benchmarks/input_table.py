"""What `input_pipeline.py` measured, as Markdown."""

import math


def input_table(results):
    """Crops per second by workers, and the cores that a fast GPU needs."""
    machine, image = results["machine"], results["image"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, which other programs used, too (load "
        f"{machine['load']:.0f}). Crops of {results['size']} pixels with augmentation, from JPEG "
        f"files of {image['megapixels']:.2f} megapixels and {image['kilobytes']} KB on average:",
        "",
        "| data set | workers | crops per second | ms of the processor for a crop |",
        "|---|---|---|---|",
    ]
    for source, rates in results["rates"].items():
        for workers, rate in rates.items():
            lines.append(
                f"| {source} | {workers} | {rate['crops_per_second']:.0f} "
                f"| {rate['ms_of_processor']:.2f} |"
            )
    ms = max(rate["ms_of_processor"] for rate in results["rates"]["shards"].values())
    cores, gpu = math.ceil(results["gpu"] * ms / 1000), results["gpu"]
    lines += [
        "",
        f"A GPU that trains {gpu:,} crops per second needs {gpu:,} x {ms:.2f} ms, that is {cores} "
        "such cores that do nothing else. Photos of 12 megapixels take many times as long to "
        "decode: make them smaller before.",
    ]
    return "\n".join(lines)


def parts_table(results):
    """What it costs to draw the faces of other processes."""
    lines = ["| processes | ms of the processor for an own crop |", "|---|---|"]
    lines += [f"| {count} | {ms:.2f} |" for count, ms in results["parts"].items()]
    return "\n".join(lines)


def memory_table(results):
    """Memory of faces by the kind of the data set."""
    lines = [f"| data set | MB for {results['faces_in_memory']:,} faces |", "|---|---|"]
    lines += [f"| {source} | {size:.0f} |" for source, size in results["megabytes"].items()]
    return "\n".join(lines)
