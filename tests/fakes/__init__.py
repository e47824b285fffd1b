"""Stand-ins for parts of the box, for tests that run without the real part."""
