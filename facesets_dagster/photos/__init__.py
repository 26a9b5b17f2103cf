"""Folders and files: bucket names, listings, decoding. Knows nothing of faces, models or the library."""
