"""Schedules of the learning rate. Each method builds a `Schedule` from its parameters."""
