"""Augmentations of training images, with new random draws for each sample of each step.

Each method builds an `Augmentation` from its parameters. `compose` combines the augmentations of a
job, so that all movements of a sample together take one matrix and one resampling. Pixels are
floats in 0–255, before the normalization.
"""
