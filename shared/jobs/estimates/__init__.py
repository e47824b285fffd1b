"""How long jobs take and how much memory they need, learned from attempts that have ended."""
