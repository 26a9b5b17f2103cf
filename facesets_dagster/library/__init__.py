"""The form of the library on disk: lock, moves, numbers, manifests, members, archive, verification.

What changes the library belongs in `publishing`, SQL in `registry`.
"""
