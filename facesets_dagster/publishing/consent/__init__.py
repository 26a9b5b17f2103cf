"""A home's policy held against the library as it is now."""
