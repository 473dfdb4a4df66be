"""The layers of LOTR."""
