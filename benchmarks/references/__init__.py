"""Numbers of Trainshed next to numbers of Keras, computed from the same inputs in float64."""
