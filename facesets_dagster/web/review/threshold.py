"""What a `threshold` card shows before it is answered: the face sets with the other distance, rehearsed."""

from collections.abc import Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from facesets_dagster import __version__
from facesets_dagster.analysis.threshold_preview import preview_threshold
from facesets_dagster.analysis.what_if.bucket import WhatIfInputs
from facesets_dagster.analysis.what_if.what_if import WhatIf, ask
from facesets_dagster.assets._asset import CODE_VERSION
from facesets_dagster.assets.what_if import WhatIfConfig, default_numbers
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.web.review.app import Review
from facesets_dagster.web.review.writing import refusal

_SECONDS = 20.0
_FACES = 24
"""Faces of each side that are shown."""


class Threshold:
    """Of one home."""

    def __init__(self, review: Review, embedder: Callable[[], EmbedderResource]) -> None:
        self._review, self._embedder = review, embedder

    def routes(self) -> list[BaseRoute]:
        """One."""
        return [Route("/api/threshold", self._preview)]

    def _preview(self, request: Request) -> JSONResponse:
        try:
            new = float(request.query_params.get("new", ""))
        except ValueError:
            new = 0.0
        if not 0 < new <= 2:
            return refusal(400, "BadRequest", "Expected `new`, a distance above 0 and up to 2.")
        library, rehearse = self._review.view.library, self._rehearsals(new)
        decided = {run.bucket: library.registry.decisions(run.bucket).height for run in library.registry.bucket_runs()}
        found = preview_threshold(sorted(decided, key=lambda one: (-decided[one], one)), rehearse, _SECONDS)
        counts = {"in": len(found.faces_in), "out": len(found.faces_out)}
        shown = {"faces_in": found.faces_in[:_FACES], "faces_out": found.faces_out[:_FACES]}
        return JSONResponse({**asdict(found), **shown, "counts": counts})

    def _rehearsals(self, new: float) -> Callable[[str], WhatIf]:
        home, embedder = HomeResource.of(self._review.access.settings), self._embedder()
        pack, default = embedder.pack(), default_numbers(embedder.thresholds())
        pictures = home.pictures(pack, WhatIfConfig().max_pixels)
        point = {"cluster_distance": new}

        def rehearse(bucket: str) -> WhatIf:
            version = f"{__version__}/{CODE_VERSION}"
            inputs = WhatIfInputs(bucket, default, {}, {}, [point], pack, pictures, version)
            return ask(inputs, home.library(), home.store_of(pack), holder="the review page", say=lambda _: None)

        return rehearse
