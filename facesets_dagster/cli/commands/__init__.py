"""The commands as Typer sees them: arguments, help, examples. Each calls one function of `cli`, imported when it runs."""
