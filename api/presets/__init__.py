"""Specifications that can be submitted without change, each of them a lesson."""
