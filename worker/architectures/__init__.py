"""Networks. Each is a function of the image's shape and the class count to a module."""
