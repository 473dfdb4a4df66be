"""Backbones, and the pretrained weights that they can start with."""
