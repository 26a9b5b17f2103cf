"""Dagster's web server behind the guard: `python -m facesets_dagster.web.webserver`, options as `dagster-webserver`.

Binds to 127.0.0.1. Another address is refused unless `FACESETS_WEB_HOSTS` has the names by which it may be reached:
the server has no passwords, and every visitor can start runs and see photos.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

import dagster_webserver.cli

from facesets_dagster.errors import FacesetsError
from facesets_dagster.files.access import Access, keep_access
from facesets_dagster.settings import load_settings
from facesets_dagster.web.address import LOOPBACK, require_address
from facesets_dagster.web.files_later import FilesLater
from facesets_dagster.web.guard import RequestGuard
from facesets_dagster.web.review_later import ReviewLater


def guard_the_server(hosts: Sequence[str]) -> None:
    """Puts the guard, the files that links lead to and the review page around what Dagster's command makes."""
    stock: Any = dagster_webserver.cli  # a name that Dagster's command looks up when it runs
    made = stock.create_app_from_workspace_process_context

    def guarded(*arguments: Any, **options: Any) -> RequestGuard:
        settings, ui = load_settings(), made(*arguments, **options)
        is_local = address_of(sys.argv[1:]).lower() in LOOPBACK
        review = ReviewLater(ui, settings, is_local=is_local, read_only="--read-only" in sys.argv[1:])
        return RequestGuard(FilesLater(review, settings), hosts)

    stock.create_app_from_workspace_process_context = guarded


def allowed_hosts(arguments: Sequence[str]) -> tuple[str, ...]:
    """`FACESETS_WEB_HOSTS`; ends the command with the reason if these arguments may not be served."""
    try:
        settings = load_settings()
        keep_access(Access.of(settings.share_group))
        hosts = settings.web_hosts
        require_address(address_of(arguments), hosts)
    except FacesetsError as error:
        sys.exit(str(error))
    return hosts


def address_of(arguments: Sequence[str]) -> str:
    """The address in a command's arguments, 127.0.0.1 if there is none."""
    for index, argument in enumerate(arguments):
        if argument in ("-h", "--host") and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith("--host="):
            return argument.removeprefix("--host=")
    return "127.0.0.1"


def main() -> None:
    """The command."""
    # uvicorn would put what a proxy on this machine says of its visitors in the place of the proxy's own address, by
    # which the review page tells whom it may believe.
    os.environ["FORWARDED_ALLOW_IPS"] = ""
    guard_the_server(allowed_hosts(sys.argv[1:]))
    dagster_webserver.cli.cli(auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    main()
