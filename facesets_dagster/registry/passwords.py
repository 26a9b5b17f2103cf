"""The password in the registry's address: shown nowhere, known to this process.

Dagster stores and serves the configuration of resources, so the resource gets the address as it may be shown
(`hidden`), and what opens a connection takes the real one (`revealed`).
"""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from facesets_dagster.errors import SettingsError

STARS = "***"
_SECRET = re.compile(r"pass|secret|token|key", re.IGNORECASE)
"""In the name of a parameter behind the `?`."""

_real: dict[str, str] = {}
"""As it may be shown -> the real address."""


def hidden(url: str) -> str:
    """The address as it may be shown; this process can reveal it from now on."""
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    query = parts.query
    if _SECRET.search(query):
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode([(key, STARS if _SECRET.search(key) else value) for key, value in pairs], safe="*")
    if not colon and query == parts.query:
        return url
    shown = urlunsplit(parts._replace(netloc=f"{name}{colon and ':' + STARS}{at}{place}", query=query))
    _real[shown] = url
    return shown


def revealed(shown: str) -> str:
    """The real address. Raises `SettingsError` if this process never knew it."""
    if STARS in shown and shown not in _real:
        raise SettingsError(
            f"The password of {shown} is not known to this process. Set FACESETS_DATABASE_URL in its environment or in "
            "`.env` of its working directory. Nothing was changed."
        )
    return _real.get(shown, shown)
