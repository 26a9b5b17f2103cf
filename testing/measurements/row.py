"""What every measurement comes to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A figure. `value` is None where it could not be measured; the note says why."""

    name: str
    value: float | None
    unit: str
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""
