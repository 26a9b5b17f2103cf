"""Who may read, who may decide, and under which name a ruling is written.

Without `FACESETS_REVIEW` the page writes where only this machine reaches it, or where a trusted proxy says who the
visitor is, and is for reading everywhere else. With `FACESETS_REVIEW_USER_HEADER` nobody without a name writes,
whatever else is set: a proxy on this machine makes every visitor look like a local one.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from facesets_dagster.publishing.rulings.writing import Author
from facesets_dagster.settings import Settings
from facesets_dagster.web.address import LOOPBACK
from facesets_dagster.web.review.ruling_texts import Said
from facesets_dagster.web.review.words import words

_LONGEST_NAME = 200


@dataclass(frozen=True)
class Visitor:
    """Who asks, and what they may do."""

    name: str | None
    """By a trusted proxy, else the login name of the process; None where names are required and none was given."""
    why: Said | None
    """Why they may not write; None if they may."""

    @property
    def why_not(self) -> str | None:
        """The same in English."""
        return self.why.in_words(words("en")) if self.why else None


@dataclass(frozen=True)
class Access:
    """The rules of one server."""

    settings: Settings
    is_local: bool
    """The server listens on a loopback address only."""
    read_only: bool = False
    """Dagster's web server was started with `--read-only`."""

    @property
    def is_off(self) -> bool:
        """There is no review page."""
        return self.settings.review == "off"

    def visitor(self, headers: Mapping[str, str], peer: str, host: str) -> Visitor:
        """`peer`: the address that the connection comes from; `host`: name in the Host header, without port."""
        named = self.settings.review_user_header is not None
        name = self._named(headers, peer) if named else Author.here("ui").name
        return Visitor(name, self._why_not(name, named=named, host=host))

    def _why_not(self, name: str | None, *, named: bool, host: str) -> Said | None:
        if self.settings.review == "read" or self.read_only:
            return Said("access.read_only", {})
        if named and name is None:
            return Said("access.nobody", {"header": str(self.settings.review_user_header)})
        if named or self.settings.review == "write" or (self.is_local and host in LOOPBACK):
            return None
        return Said("access.no_names", {})

    def _named(self, headers: Mapping[str, str], peer: str) -> str | None:
        if peer not in self.settings.trusted_proxies:
            return None
        text = headers.get(str(self.settings.review_user_header).lower(), "").strip()
        plain = all(unicodedata.category(letter)[0] != "C" for letter in text)
        return text if text and plain and len(text) <= _LONGEST_NAME else None
