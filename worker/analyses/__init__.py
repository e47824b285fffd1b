"""Analyses of a trained network: one kind a file, and what the kinds share."""
