"""Optimizers, by parameters and initial learning rate; the schedule updates the latter."""
