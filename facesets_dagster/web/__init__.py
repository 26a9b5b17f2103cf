"""Dagster's web server behind a guard, and `make dev`."""
