"""Damaged and hostile files for everything that reads files: see `__main__.py`."""
