"""Times of files as listings and tables keep them: whole nanoseconds since the epoch, 64 bits.

Those bits end in 2262 and begin in 1677; a file may be dated beyond, by a camera's clock or a program's slip.
"""

_LIMIT = 2**63 - 1


def kept_time(time_ns: int) -> int:
    """The time, or the nearest that can be kept."""
    return max(-_LIMIT, min(time_ns, _LIMIT))
