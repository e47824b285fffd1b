"""The pages of the catalogue: what can be trained, with which parameters."""
