"""The step in which all loops over the numbers of a row go."""

WIDTH = 64
"""Rows are padded with zeros to a multiple of it, as `dots` wants them; `kernels.scan` looks at so many at once."""
