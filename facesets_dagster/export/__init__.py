"""From an identity's members to a swap-ready folder: curation, ranking, crops, archives, manifest. No registry."""
