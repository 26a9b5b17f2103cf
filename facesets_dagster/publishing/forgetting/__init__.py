"""Forgetting: what goes is planned first, then removed step by step, so that a call that was cut off can go on."""
