"""The processes that a process has started, as Linux has them in /proc, and their memory."""

from pathlib import Path


def descendants(pid):
    """The process and all that it, or one of them, has started."""
    children = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
        except OSError:  # it has ended
            continue
        children.setdefault(int(parent), []).append(int(path.parent.name))
    found = [pid]
    for process in found:  # grows while it is gone through
        found += children.get(process, [])
    return found


def name_of(pid):
    """Its command line; Ray's workers call themselves "ray::" and what they do."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def memory(pid):
    """Megabytes, of what several processes share the part of each."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0)


def status(pid):
    """{name: kilobytes} of what the system says of a process' memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}


def resident(pid):
    """Megabytes of a process in memory, shared ones included: (now, at most)."""
    sizes = status(pid)
    return sizes["VmRSS"] / 1024, sizes["VmHWM"] / 1024
