"""Jobs side by side, and the best jobs on a data set."""
