"""Experiments that compare methods through the API: what helps, by how much, and what does not."""
