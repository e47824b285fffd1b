"""The form that submits a job, made from the schemas of the specification and the catalogue."""
