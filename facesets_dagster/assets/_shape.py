"""What every asset of the platform has in common: group, owner, code version."""

GROUP = "facesets"
OWNERS = ["team:facesets"]
CODE_VERSION = "2"
"""Changed when an asset computes something else from the same inputs; part of what "same inputs" means."""
