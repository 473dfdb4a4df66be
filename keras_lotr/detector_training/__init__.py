"""The built-in face detector: its network, and how it is distilled from another."""
