"""Regularizers: what is added to the loss, done to a batch, or set in the architecture."""
