"""The library of face sets: registry, lock, manifests, atomic publishing, verification.

The only package that writes under `facesets_swap_ready/` and the registry.
"""
