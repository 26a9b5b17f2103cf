"""Write-ups of runs. Reads records and tables, writes text; knows nothing of Dagster."""
