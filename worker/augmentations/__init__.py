"""Augmentations of training images, drawn anew for each sample of each step.

Each method is a function of what a user may set to an `Augmentation`; `compose` fuses those that
a job has into one application: one matrix and one resample a sample, whatever moves pixels.
Pixels are floats in 0–255 here, before any normalisation.
"""
