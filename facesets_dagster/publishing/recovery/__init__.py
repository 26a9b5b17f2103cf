"""A registry that was lost, rebuilt from what the library says of itself."""
