"""What runs print beside their log in Dagster: warnings and errors, so that the terminal of `make dev` stays quiet."""

import logging

import dagster as dg


@dg.logger(
    {
        "log_level": dg.Field(str, default_value="WARNING", description="Lines below this level are not printed."),
        "name": dg.Field(str, default_value="dagster", description="Name of the logger."),
    },
    description="Prints warnings and errors; the run's log in Dagster has every line.",
)
def console(context: dg.InitLoggerContext) -> logging.Logger:
    """The logger of every run of the code location, in Dagster's colours."""
    return dg.colored_console_logger.logger_fn(context)
