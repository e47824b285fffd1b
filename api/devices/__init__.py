"""The devices: what each holds and does."""
