"""The console script `facesets`: thin, and through Dagster wherever something is made."""
