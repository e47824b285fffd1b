"""The pages of analyses: all of a job, with a form that starts another, and the result of each."""
