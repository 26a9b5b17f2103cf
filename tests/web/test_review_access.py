"""Who may write on the review page, and under which name."""

import getpass
from pathlib import Path

import pytest

from facesets_dagster.settings import Settings, load_settings
from facesets_dagster.web.review.access import Access


def settings(tmp_path: Path, **more: str) -> Settings:
    return load_settings({f"FACESETS_{name}": value for name, value in more.items()}, tmp_path)


PROXY = {"REVIEW_USER_HEADER": "X-Forwarded-User", "TRUSTED_PROXIES": "10.0.0.1, 127.0.0.1"}


def test_on_this_machine_the_login_name_writes(tmp_path: Path) -> None:
    visitor = Access(settings(tmp_path), is_local=True).visitor({}, "127.0.0.1", "localhost")
    assert (visitor.name, visitor.why_not) == (getpass.getuser(), None)


@pytest.mark.parametrize(("is_local", "host"), [(False, "photos.home"), (True, "photos.home"), (False, "localhost")])
def test_on_another_address_the_page_is_for_reading(tmp_path: Path, is_local: bool, host: str) -> None:
    visitor = Access(settings(tmp_path), is_local=is_local).visitor({}, "10.0.0.9", host)
    assert "visitors have no names" in str(visitor.why_not)
    chosen = Access(settings(tmp_path, REVIEW="write"), is_local=is_local).visitor({}, "10.0.0.9", host)
    assert chosen.why_not is None


def test_read_means_read_for_everybody(tmp_path: Path) -> None:
    for access in (
        Access(settings(tmp_path, REVIEW="read"), is_local=True),
        Access(settings(tmp_path, REVIEW="write"), is_local=True, read_only=True),
    ):
        assert "for reading only" in str(access.visitor({}, "127.0.0.1", "localhost").why_not)


def test_a_proxy_says_who_it_is_if_it_is_trusted(tmp_path: Path) -> None:
    access = Access(settings(tmp_path, **PROXY), is_local=False)
    headers = {"x-forwarded-user": "anna"}
    assert access.visitor(headers, "10.0.0.1", "photos.home").name == "anna"
    assert access.visitor(headers, "10.0.0.1", "photos.home").why_not is None
    forged = access.visitor(headers, "10.0.0.2", "photos.home")
    assert forged.name is None
    assert "Nobody is named in the header X-Forwarded-User" in str(forged.why_not)


@pytest.mark.parametrize("name", ["", "  ", "a\u202eb", "x" * 201, "a\x07"])
def test_with_the_header_set_nobody_without_a_proper_name_writes(tmp_path: Path, name: str) -> None:
    access = Access(settings(tmp_path, REVIEW="write", **PROXY), is_local=True)
    visitor = access.visitor({"x-forwarded-user": name}, "127.0.0.1", "localhost")
    assert (visitor.name, visitor.why_not is None) == (None, False)
