"""Starts, watches and restarts the parts of the box, by exec. Imports shared only."""
