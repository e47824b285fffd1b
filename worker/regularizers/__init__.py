"""Regularizers: terms of the loss, changes to a batch, or settings of the architecture."""
