"""What starts runs: jobs, sensors, schedules, and the pure decisions behind them."""
