"""Preset folders: configuration and weights, from this library, a folder or the Hub."""
