"""The process that checks one uploaded data set, with limits of memory and time."""
