"""What lies beside the UI behind the guard, served without Dagster's web server, for tests over HTTP."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.responses import PlainTextResponse

from facesets_dagster.settings import Settings
from facesets_dagster.web.files import FilesBesideTheUi
from facesets_dagster.web.guard import App, RequestGuard
from facesets_dagster.web.review_later import ReviewLater
from testing.fakes import FakeEmbedderResource


@contextmanager
def served_files(settings: Settings) -> Iterator[str]:
    """The address of the files, on a free port of 127.0.0.1."""
    with _served(FilesBesideTheUi(PlainTextResponse("the UI"), settings)) as address:
        yield address


@contextmanager
def served_review(
    settings: Settings, *, ui: App | None = None, is_local: bool = True, fake: bool = True
) -> Iterator[str]:
    """The address of the review page and the files, with the numbers of the fake model; `ui`: in the place of
    Dagster's.
    """
    other = ui or PlainTextResponse("the UI")
    numbers = {"cover_distance": lambda: 0.45, "embedder": FakeEmbedderResource} if fake else {}
    review = ReviewLater(other, settings, is_local=is_local, **numbers)  # type: ignore[arg-type]
    with _served(FilesBesideTheUi(review, settings), settings.web_hosts) as address:
        yield address


@contextmanager
def _served(app: App, hosts: Sequence[str] = ()) -> Iterator[str]:
    # As `web.webserver` starts it: what proxies say of addresses is not believed.
    config = uvicorn.Config(RequestGuard(app, hosts), port=0, log_level="error", lifespan="off", forwarded_allow_ips="")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("the files were not served within a minute")
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(60)
