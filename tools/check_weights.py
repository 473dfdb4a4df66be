"""Refuse commits that add weights without saying so: `python tools/check_weights.py`.

Weights stay in the history for ever, so they land once per preset and release. A commit that adds
more than a megabyte of them has a line `weights:` in its message, with what they are and why.
"""

import subprocess
import sys

ENDINGS = (".safetensors", ".onnx", ".npz", ".h5", ".keras", ".tflite", ".bin", ".pth")
MOST_BYTES = 1_000_000
# The rule holds for commits after this file came.
SINCE = "tools/check_weights.py"


def git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


def added_bytes(commit):
    """Size of the files of weights that a commit adds or changes; moved ones are there already."""
    options = ("-r", "-M", "--no-commit-id", "--diff-filter=AM")
    lines = git("diff-tree", *options, commit).splitlines()
    entries = [line.split(None, 5) for line in lines]
    blobs = [entry[3] for entry in entries if entry[5].endswith(ENDINGS)]
    return sum(int(git("cat-file", "-s", blob)) for blob in blobs)


def commits_without_word():
    """[(commit, bytes)] of the commits that break the rule."""
    first = git("log", "--diff-filter=A", "--format=%H", "--", SINCE).split()
    if not first:
        return []
    commits = git("rev-list", "--no-merges", f"{first[-1]}..HEAD").split()
    sizes = ((commit, added_bytes(commit)) for commit in commits)
    return [
        (commit, size)
        for commit, size in sizes
        if size > MOST_BYTES
        and not any(
            line.lower().startswith("weights:")
            for line in git("show", "-s", "--format=%B", commit).splitlines()
        )
    ]


if __name__ == "__main__":
    for commit, size in commits_without_word():
        print(
            f"Commit {commit[:10]} adds {size / 1e6:.1f} MB of weights: say in its message, in a "
            "line that begins with `weights:`, what they are and why they land now."
        )
    sys.exit(bool(commits_without_word()))
