"""What weights are drawn from. Each fills one weight in place from its own generator."""
