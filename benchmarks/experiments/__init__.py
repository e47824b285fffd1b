"""Experiments on methods, each through the API: what helps, by how much, and what does not."""
