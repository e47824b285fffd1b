"""The commands, by what they are about; `trainshed.cli` puts them together."""
