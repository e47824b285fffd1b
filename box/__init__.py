"""The box: starts, watches and restarts its parts. Imports nothing of ours but `shared`."""
