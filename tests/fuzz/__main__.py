"""Damaged files for everything that reads files: `python tests/fuzz --seconds 120`.

Each case is made from a seed and its number, and tried in a process with limits of time and memory.
A finding is what is neither a result nor a documented exception with a sentence; the command that
tries it again is printed. The exit code is 1 if there are any.
"""

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from fuzz.targets import TARGETS
from fuzz.worker import fuzz


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--target", choices=TARGETS, action="append", help="default: all")
    parser.add_argument("--seconds", type=float, default=120, help="in all; default 120")
    parser.add_argument("--cases", type=int, help="of each target, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, help="try this case only")
    options = parser.parse_args(arguments)
    targets = options.target or TARGETS
    first, most = options.number or 0, options.cases if options.number is None else 1
    failed = False
    for target in targets:
        report = fuzz(target, options.seed, options.seconds / len(targets), most, first)
        failed |= bool(report.findings)
        outcomes = ", ".join(f"{name} {count}" for name, count in report.outcomes.most_common())
        print(
            f"{target}: {report.cases} cases ({outcomes}), {len(report.findings)} findings; "
            f"slowest {report.seconds:.2f} s, most {report.megabytes:.0f} MB",
            flush=True,
        )
        for number, problem in report.findings.items():
            again = f"python tests/fuzz --target {target} --seed {options.seed} --number {number}"
            print(f"  {again}\n    " + problem.strip().replace("\n", "\n    "))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
