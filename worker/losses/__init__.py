"""Losses: the mean over samples of how wrong the logits are."""
