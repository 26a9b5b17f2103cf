"""Counts in words. Knows nothing of what is counted."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 face`, `2 faces`; `many` where an s is not enough (`1 person`, `2 people`; `1 face is`, `2 faces are`)."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
