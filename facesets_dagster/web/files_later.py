"""The files beside the UI, imported when the first of them is wanted: the UI's first page does not wait for it."""

from facesets_dagster.settings import Settings
from facesets_dagster.web.guard import App, Receive, Scope, Send


class FilesLater:
    """As `web.files.FilesBesideTheUi`: answers what lies below `/files/`, passes everything else to `app`."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._files: App | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if self._files is None and str(scope.get("path", "")).startswith("/files/"):
            from facesets_dagster.web.files import FilesBesideTheUi

            self._files = FilesBesideTheUi(self._app, self._settings)
        await (self._files or self._app)(scope, receive, send)
