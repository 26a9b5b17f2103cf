"""The files beside the UI behind the guard, served without Dagster's web server, for tests in a browser."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.responses import PlainTextResponse

from facesets_dagster.settings import Settings
from facesets_dagster.web.files import FilesBesideTheUi
from facesets_dagster.web.guard import App, RequestGuard


@contextmanager
def served_files(settings: Settings) -> Iterator[str]:
    """The address, on a free port of 127.0.0.1."""
    ui: App = PlainTextResponse("the UI")
    config = uvicorn.Config(RequestGuard(FilesBesideTheUi(ui, settings)), port=0, log_level="error", lifespan="off")
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
