"""Uploaded weights, from which a job can go on."""
