"""Planning merges of identities and their undoing."""
