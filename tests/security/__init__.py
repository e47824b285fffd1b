"""What hostile input and local users may try: each kind of attack that was seen, and its answer."""
