"""Losses: functions of outputs and targets to the mean over samples."""
