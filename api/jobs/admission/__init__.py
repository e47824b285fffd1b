"""Admission: the checks that a specification passes before a job is recorded."""
