"""How well the rules find faults that are put into specifications, and stay silent without."""
