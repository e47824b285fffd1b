"""Admission: one draft of a specification and the checks that it has to pass."""
