"""Dagster resources: configuration that builds plain objects. Importing them opens no model and no database."""
