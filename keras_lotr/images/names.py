"""The order of files by their names."""

import os
import re


def natural_key(path):
    """Sort key by which photo 9 comes before photo 10."""
    parts = re.split(r"(\d+)", os.fspath(path))
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]
