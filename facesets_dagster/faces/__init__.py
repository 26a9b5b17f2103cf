"""Detected faces: their schema, quality numbers, and the incremental cache of them. Knows nothing of identities."""
