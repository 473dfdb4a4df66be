"""A process that tries cases one after the other, and one that watches it.

The watched process may die, hang or grow: it is then started again behind the case that did it.
"""

import multiprocessing
import os
import resource
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module

import numpy as np

_MOST_MEMORY = 16 * 2**30  # of addresses; libraries reserve more than they use
_PATIENCE = 60  # seconds until a case counts as hanging
_TOO_LONG = 5.0
_LONGEST_SENTENCE = 3000


@dataclass
class Report:
    """What came of the cases of one target.

    Attributes:
        outcomes: {"read", or the name of an exception that is documented: how often}.
        findings: what must not be: {case number: what}.
        seconds: of the slowest case, on one core that nobody shares.
        megabytes: that a case took at most beyond its result.
    """

    outcomes: Counter = field(default_factory=Counter)
    findings: dict = field(default_factory=dict)
    seconds: float = 0.0
    megabytes: float = 0.0

    @property
    def cases(self):
        return self.outcomes.total() + len(self.findings)


def fuzz(target, seed, seconds, most=None, first=0):
    """Try cases of a target.

    Args:
        target: name of a module of `fuzz.targets`.
        seed: with the number of a case, it says what the case is.
        seconds: after which no new case begins.
        most: number of cases.
        first: number of the first case.

    Returns:
        `Report`.
    """
    report, number, worker = Report(), first, _Worker(target, seed)
    end = time.monotonic() + seconds  # not of what is prepared
    while time.monotonic() < end and (most is None or number < first + most):
        worker = worker or _Worker(target, seed)
        answer, problem = worker.tried(number)
        if answer is None:  # it died or hangs
            worker = worker.stopped()
            report.findings[number] = problem
        else:
            outcome, problem, taken, megabytes = answer
            report.seconds = max(report.seconds, taken)
            report.megabytes = max(report.megabytes, megabytes)
            if problem:
                report.findings[number] = problem
            else:
                report.outcomes[outcome] += 1
        number += 1
    if worker is not None:
        worker.stopped()
    return report


class _Worker:
    """A process that tries cases of a target."""

    def __init__(self, target, seed):
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_work, args=(there, target, seed), daemon=True)
        self._process.start()
        there.close()
        if not self._pipe.poll(10 * _PATIENCE) or self._pipe.recv() != "ready":
            raise RuntimeError(f"{target} cannot be prepared")

    def tried(self, number):
        """What came of a case, or None and what became of the process."""
        try:
            self._pipe.send(number)
            if not self._pipe.poll(_PATIENCE):
                return None, f"no answer after {_PATIENCE} s"
            return self._pipe.recv(), ""
        except (EOFError, OSError):
            self._process.join()
            return None, f"the process died with {self._process.exitcode}"

    def stopped(self):
        self._process.kill()
        self._process.join()


def _work(connection, target, seed):
    warnings.simplefilter("ignore")
    module = import_module(f"fuzz.targets.{target}")
    with module.prepared() as make:
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
        with open(os.devnull, "w") as nowhere:  # C libraries tell each damage
            os.dup2(nowhere.fileno(), 2)
        connection.send("ready")
        while True:
            try:
                number = connection.recv()
            except EOFError:
                return
            call = make(np.random.default_rng([seed, number]))
            connection.send(_tried(call, module.DOCUMENTED, module.MEGABYTES))


def _tried(call, documented, limit):
    """What one call came to: its outcome, what is wrong with it, seconds, megabytes."""
    _reset_peak()
    before, start, size, problem = _peak(), time.process_time(), 0, ""
    try:
        size = call() or 0
        outcome = "read"
    except documented as error:
        outcome, said = type(error).__name__, str(error)
        if not said.strip() or len(said) > _LONGEST_SENTENCE:
            problem = f"{outcome} with {len(said)} letters: {said[:200]!r}"
        elif not isinstance(error, FileNotFoundError) and outcome not in _PLAIN:
            problem = f"{outcome}, of a library: {said[:200]!r}"
    except Exception:
        outcome, problem = "", traceback.format_exc(limit=-4)
    seconds, megabytes = time.process_time() - start, _peak() - before - size / 2**20
    if not problem and seconds > _TOO_LONG:
        problem = f"took {seconds:.1f} s"
    if not problem and megabytes > limit:
        problem = f"took {megabytes:.0f} MB beyond its result"
    return outcome, problem, seconds, megabytes


# A UnicodeDecodeError is a ValueError, too, but none that we wrote.
_OURS = {"NoFaces", "RefusedClass"}
_PLAIN = {"ValueError", "OSError", "TypeError", "ImportError", "PermissionError"} | _OURS


def _reset_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _peak():
    """Megabytes that the process has had at most since `_reset_peak`."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
