"""Benchmarks: `make bench`. Every result is the ratio of two quantities measured in the same run."""
