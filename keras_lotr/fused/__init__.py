"""Layers computed together, or without what Keras does around each: same weights, same numbers."""
