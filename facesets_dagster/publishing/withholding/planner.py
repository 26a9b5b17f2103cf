"""The plan that brings folders up to the home's policy: of the face sets whose folders are not as it has them."""

import polars as pl

from facesets_dagster.faces.schema import face_schema
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.publishing.consent.judging import Consent
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import terms_in_place
from facesets_dagster.publishing.transaction import Wanted


class ConsentPlanner:
    """Makes the plan from the library as it is now: the same members, under the terms that they were exported by."""

    def __init__(self, run: Run, consent: Consent) -> None:
        self._run, self._consent = run, consent

    def wanted(self) -> tuple[list[Wanted], Gallery]:
        """The face sets that are concerned, and the gallery of their contents."""
        run, library = self._run, self._run.library
        people = [one.identity for one in self._consent.concerned()]
        members = library.registry.members([one.name for one in people])
        gallery = Gallery(
            run,
            pl.DataFrame(schema=face_schema(run.pack.dim)),
            Terms("discovered", LIBRARY, {}, run.export),
            [one.name for one in people],
        )
        wanted = [
            Wanted(members[one.name], terms_in_place(library.folder, one, run.export), one, parent=one.parent)
            for one in people
        ]
        return wanted, gallery
