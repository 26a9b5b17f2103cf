"""The database of identities, numbers, members, tombstones and decisions: all SQL is here."""
