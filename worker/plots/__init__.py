"""Plots of methods, computed by the methods' own code: `shared/catalog_plots.json`."""
