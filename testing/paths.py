"""Where the repository lies, and what lies beside it."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("FACESETS_SHARED", REPOSITORY.parent / "shared"))
"""Labelled photos and model packs."""
MODELS = Path(os.environ.get("FACESETS_TEST_MODELS", REPOSITORY / ".venv" / "share" / "facesets-models"))
"""The models root of tests and benchmarks, with the embedded pack."""
