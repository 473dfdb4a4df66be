"""A model run on crops: in batches of few sizes, by one thread at a time."""
