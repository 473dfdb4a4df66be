"""Times side by side: every round calls each function once, so that other load hits all alike."""

import os
import platform
import time

import numpy as np

SECONDS = 8.0  # of a comparison


def side_by_side(functions, seconds=SECONDS, warm_up=3):
    """Median milliseconds of one call of each.

    Args:
        functions: {name: function without arguments}.
        seconds: how long to go on; at least 5 rounds.
        warm_up: calls of each that do not count.
    """
    for function in functions.values():
        for _ in range(warm_up):
            function()
    times, began = {name: [] for name in functions}, time.monotonic()
    while time.monotonic() - began < seconds or len(next(iter(times.values()))) < 5:
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: round(float(np.median(values)), 3) for name, values in times.items()}


def machine():
    """What it was measured on."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = {line.split(":")[1].strip() for line in file if line.startswith("model name")}
    load = round(os.getloadavg()[0], 1)
    return {
        "processor": ", ".join(sorted(names)) or platform.processor(),
        "cores": os.cpu_count(),
        "load": load,
        "python": platform.python_version(),
    }
