"""Charts of metrics as SVG, drawn on the server: complete without a script."""
