"""Measurements: ratios against a named peer in the same run, figures against labels. Run by `make bench`."""
