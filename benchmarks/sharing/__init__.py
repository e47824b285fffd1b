"""The plan on a simulated box for a week, compared with other schedulers' policies."""
