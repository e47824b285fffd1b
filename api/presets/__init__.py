"""Specifications that can be submitted as they are, each a lesson."""
