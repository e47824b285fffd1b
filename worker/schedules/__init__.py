"""Schedules: pure functions of the update count to a factor on the learning rate.

Every one takes how many updates were made before this one and how many there will be in the
stage. Warm-up is counted apart: the schedule proper starts after it.
"""
