"""Optimizers. Each takes parameters and a first learning rate; the schedule sets it anew."""
