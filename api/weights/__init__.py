"""Uploaded weights, from which a job can start."""
