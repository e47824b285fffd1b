"""The watch of a training: measures, runs the rules, and keeps the findings."""
