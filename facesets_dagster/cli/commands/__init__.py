"""The commands as Typer sees them: arguments, help, examples. Each imports what it calls when it runs."""
