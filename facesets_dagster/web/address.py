"""On which addresses the web server may listen. Imports neither Dagster nor its web server."""

from collections.abc import Sequence

from facesets_dagster.errors import SettingsError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def require_address(address: str, hosts: Sequence[str]) -> None:
    """Raises `SettingsError` if the address is not a loopback one and `FACESETS_WEB_HOSTS` (`hosts`) is unset."""
    if address.lower() not in LOOPBACK and not hosts:
        raise SettingsError(
            f"The web server may not listen on {address} yet. It has no passwords: all who reach it can start runs and "
            "see photos. Leave the address out (127.0.0.1, reach it through an SSH tunnel or a proxy that asks for a "
            "password), or set FACESETS_WEB_HOSTS to the names by which browsers reach it, separated by commas."
        )
