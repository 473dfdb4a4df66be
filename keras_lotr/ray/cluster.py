"""The cluster of Ray: started if there is none, asked for what it has, and its errors told."""

import logging
import os
import re
import sys
from contextlib import contextmanager

import ray
from ray.exceptions import RayTaskError

from keras_lotr.number_checks import check_counts, whole

# What Ray Data adds to the sentence of an error: how often it tried, and settings of its own.
_OF_RAY = re.compile(r"\s*Failed to [^\n]* attempts \(total backoff.*", re.DOTALL)


def start_ray(workers=None):
    """Connect to the Ray that runs (RAY_ADDRESS), or start one on this machine.

    Args:
        workers: number of CPUs of one that is started; None: all of this machine.

    Raises:
        ValueError: `workers` for a Ray that runs already, or no number of CPUs.
    """
    if workers is not None:
        check_counts(workers=workers)
    if workers is not None and (ray.is_initialized() or "RAY_ADDRESS" in os.environ):
        raise ValueError(
            f"Expected no workers with a Ray that runs already: it has its own. Received: {workers}"
        )
    if ray.is_initialized():
        return
    # Ray would report the machine to its makers, and print what each worker prints.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Of actors of Ray Data, Ray says in each run, as an error, that they might not start again.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    new = {} if workers is None else {"address": "local", "num_cpus": workers}
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **new)


def check_gpus(gpus):
    """Raise a ValueError if the cluster has fewer GPUs than asked for."""
    if whole(gpus) is None or gpus < 0:
        raise ValueError(f"Expected gpus as a number of GPUs. Received: {gpus!r}")
    there = int(ray.cluster_resources().get("GPU", 0))
    if gpus > there:
        raise ValueError(
            f"Expected a Ray with {gpus} GPUs, as gpus={gpus} asks for. It has {there}: start Ray "
            "on machines that have them, or take gpus=0."
        )


@contextmanager
def errors_told(context=None):
    """What workers raise is raised here as it was raised there, and Ray prints nothing of it.

    Args:
        context: `ray.data.DataContext` of the dataset that is computed.
    """
    logger = logging.getLogger("ray.data")
    level, changed = logger.level, {}
    if context is not None:
        changed = {
            "raise_original_map_exception": True,
            "print_on_execution_start": False,
            "enable_progress_bars": sys.stderr is not None and sys.stderr.isatty(),
        }
        before = {name: getattr(context, name) for name in changed}
    logger.setLevel(logging.CRITICAL)
    try:
        _set(context, changed)
        yield
    except RayTaskError as error:
        raise _own_words(error.cause) from None
    finally:
        logger.setLevel(level)
        _set(context, before if changed else {})


def _own_words(error):
    error.args = tuple(_OF_RAY.sub("", x) if isinstance(x, str) else x for x in error.args)
    return error


def _set(context, values):
    for name, value in values.items():
        setattr(context, name, value)
