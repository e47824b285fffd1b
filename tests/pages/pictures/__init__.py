"""`make pictures`: pictures of the web pages of a real box with real jobs, for `docs/pictures/`."""
