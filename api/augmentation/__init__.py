"""Previews of augmentations."""
