"""Reading what the legacy scripts left: their libraries, their face cache, and the identity of each face.

Pure but for reading files; nothing here writes. `publishing.legacy_library` makes identities of what is read.
"""
