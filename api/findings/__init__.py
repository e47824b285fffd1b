"""The findings of jobs: what the rules found, and the patches to try."""
