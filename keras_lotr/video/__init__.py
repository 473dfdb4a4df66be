"""Video files and cameras: read, annotated, written."""
