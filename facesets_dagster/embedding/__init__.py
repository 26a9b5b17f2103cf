"""Finding and embedding faces: model packs, sessions, detectors, recognisers."""
