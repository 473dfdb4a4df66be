"""Faces of a video: who is who from frame to frame, and landmarks that do not tremble."""
