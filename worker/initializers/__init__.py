"""Initializers. Each method fills a weight in place from the weight's random generator."""
