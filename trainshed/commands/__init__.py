"""The commands in groups; `trainshed.cli` puts them together."""
