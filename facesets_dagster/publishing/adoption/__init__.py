"""Adopting facesets that the legacy scripts made."""
