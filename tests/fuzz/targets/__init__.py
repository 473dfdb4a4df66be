"""What is fuzzed, a module each.

A module has `prepared()`, a context with a function that makes of a random generator one call,
which returns the bytes of its result; the exceptions that are `DOCUMENTED`; and the `MEGABYTES`
that a call may take beyond its result.
"""

TARGETS = ("images", "crafted_images", "labels", "onnx_files", "presets", "videos")
