"""Augmentations of training images. None is registered in this release."""
