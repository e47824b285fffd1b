"""Networks. Each method builds a module from the shape of the images and the number of classes."""
