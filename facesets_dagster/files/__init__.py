"""Primitives for files: whole or absent, and their states on disk. Knows nothing of faces."""
