"""A look at what an augmentation does."""
