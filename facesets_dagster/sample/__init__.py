"""Sample buckets made from photos that installed packages ship."""
