"""From what somebody named to everything that goes: plans made of registry and caches. Reads only."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from facesets_dagster.faces.schema import face_schema
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.exemplars import exemplars
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.handles import people_called, several
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.ignoring import reach_of
from facesets_dagster.identities.rulings import MOST_IGNORED_EXEMPLARS
from facesets_dagster.library.block_list import BlockedPerson
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import file_name, is_pseudo, key_in
from facesets_dagster.publishing.forgetting.plan import ForgetPlan, Place, whole_photos
from facesets_dagster.registry.registry import NOT_THEIRS

_COLUMNS = ("face_id", "sha256", "path", "aliases", "source_missing")


@dataclass(frozen=True)
class Subjects:
    """A home in which something is to be forgotten."""

    home: Home
    libraries: tuple[Library, ...]
    """The one that is asked first, then those beside it."""
    model_id: str
    dim: int
    cover_distance: float

    @cached_property
    def buckets(self) -> list[str]:
        """All that caches or the registry know, pseudo buckets among them."""
        found = {key_in(folder) for folder in (self.home.cache_dir / "faces").glob("*") if folder.is_dir()}
        for library in self.libraries:
            found |= {run.bucket for run in library.registry.bucket_runs()}
            found |= set(library.registry.memberships()["bucket"].unique())
        return sorted(found)

    def stores(self, bucket: str) -> list[FaceStore]:
        """The caches of a bucket, one for each model."""
        return stores_of(self.home.cache_dir, bucket)

    def faces(self, bucket: str) -> pl.DataFrame:
        """`face_id`, `sha256`, `path`, `aliases` and `source_missing` of a bucket's faces, of every model."""
        frames = [pl.DataFrame(schema={name: face_schema(1)[name] for name in _COLUMNS})]
        frames += [store.columns("faces", *_COLUMNS).select(_COLUMNS) for store in self.stores(bucket)]
        return pl.concat(frames).unique("face_id", keep="first", maintain_order=True)

    def known_faces(self, bucket: str) -> set[str]:
        """face_ids of a bucket that any cache, funnel or membership has."""
        found = set(self.faces(bucket)["face_id"])
        for library in self.libraries:
            found |= set(library.registry.decisions(bucket)["face_id"])
            found |= set(library.registry.memberships(bucket=bucket)["face_id"])
        return found

    def photos(self, contents: Collection[str], kind: str = "photo", *, block: bool = True) -> ForgetPlan:
        """The plan for photos by their bytes, in every bucket that has them."""
        photos, faces = set[Place](), set[Place]()
        prefixes = {sha256[:16] for sha256 in contents}
        for bucket in self.buckets:
            faces |= {(bucket, face) for face in self.known_faces(bucket) if face.partition("-")[0] in prefixes}
            for store in self.stores(bucket):
                known = {*store.columns("contents", "sha256")["sha256"], *store.columns("faces", "sha256")["sha256"]}
                photos |= {(bucket, sha256) for sha256 in known & set(contents)}
        return self._counted(ForgetPlan(kind, faces=_sorted(faces), photos=_sorted(photos), block=block))

    def bucket(self, bucket: str) -> ForgetPlan:
        """The plan for a bucket, whether or not its folder is there."""
        faces = {(bucket, face) for face in self.known_faces(bucket)}
        photos = {
            (bucket, sha256)
            for store in self.stores(bucket)
            for sha256 in store.columns("contents", "sha256")["sha256"]
        }
        plan = ForgetPlan("bucket", faces=_sorted(faces), photos=_sorted(photos), buckets=(bucket,))
        return self._counted(plan)

    def gone(self) -> ForgetPlan:
        """The plan for photos that are no longer in their bucket, and buckets whose folder is gone from its root."""
        there, photos, faces = self.home.buckets(), set[Place](), set[Place]()
        for bucket in self.buckets:
            if bucket not in there or not there[bucket].is_dir():
                continue
            for store in self.stores(bucket):
                held = set(store.columns("files", "sha256")["sha256"].drop_nulls())
                known = {*store.columns("contents", "sha256")["sha256"], *store.columns("faces", "sha256")["sha256"]}
                photos |= {(bucket, sha256) for sha256 in known - held if store.folder_digest() is not None}
            prefixes = {sha256[:16] for where, sha256 in photos if where == bucket}
            faces |= {(bucket, face) for face in self.known_faces(bucket) if face.partition("-")[0] in prefixes}
        plan = ForgetPlan("gone", faces=_sorted(faces), photos=_sorted(photos), block=False)
        for bucket in self._gone_buckets(there):
            whole = self.bucket(bucket)
            plan = replace(
                plan,
                faces=_sorted({*plan.faces, *whole.faces}),
                photos=_sorted({*plan.photos, *whole.photos}),
                buckets=tuple(sorted({*plan.buckets, bucket})),
            )
        return self._counted(plan)

    def person_called(self, text: str) -> Identity:
        """The one live identity of that name. Raises `LibraryError` if there is none, or if several have it."""
        library = self.libraries[0]
        stones = {stone.name: stone.reason for stone in library.registry.tombstones()}
        known = library.registry.identities()
        people = people_called(text, known, leads_to=library.snapshot().redirects, out_of_use=stones)
        if len(people) != 1:
            raise several(text, people)
        return people[0]

    def person(self, person: Identity) -> ForgetPlan:
        """The plan for a person: their face sets, and every face that is theirs or like theirs and nobody else's."""
        library = self.libraries[0]
        names = family_of(library, person)
        faces = set(library.registry.decided_for(names).select("bucket", "face_id").iter_rows())
        for name in names:
            faces |= set(library.registry.memberships(name=name).select("bucket", "face_id").iter_rows())
        stands = self.exemplars({face_id for _, face_id in faces}, names)
        ids = {face_id for _, face_id in faces}
        for bucket in self.buckets:
            faces |= {(bucket, face) for face in self.known_faces(bucket) & ids}
            faces |= {(bucket, face) for face in self._like(bucket, stands)}
        photos = set[Place]()
        for bucket in sorted({bucket for bucket, _ in faces}):
            photo_of = dict(self.faces(bucket).select("face_id", "sha256").iter_rows())
            going = {face for where, face in faces if where == bucket}
            photos |= {(bucket, sha256) for sha256 in whole_photos(photo_of, going)}
        labels = self._own_labels(library, names)
        plan = ForgetPlan("faceset", tuple(sorted(names)), labels, _sorted(faces), _sorted(photos))
        return self._counted(plan)

    def exemplars(self, face_ids: Collection[str], names: Collection[str]) -> BlockedPerson | None:
        """The faces that stand for a person from now on; None if no cache has a vector of theirs."""
        frames = [store.columns("faces", "face_id", "embedding") for store in self._of_model()]
        rows = pl.concat(frames).filter(pl.col("face_id").is_in(list(face_ids))) if frames else pl.DataFrame()
        if rows.is_empty():
            return None
        unit = normalised(rows.unique("face_id").sort("face_id")["embedding"].to_numpy())
        chosen = unit[exemplars(unit, MOST_IGNORED_EXEMPLARS)]
        kept = [
            one.centroid
            for one in self.libraries[0].registry.identities()
            if one.live and one.name not in names and one.centroid is not None and one.model_id == self.model_id
        ]
        others = np.array(kept, np.float32).reshape(-1, unit.shape[1])
        return BlockedPerson(self.model_id, chosen, reach_of(chosen, others, self.cover_distance))

    def _of_model(self) -> list[FaceStore]:
        return [self.home.face_store(bucket, self.model_id, self.dim) for bucket in self.buckets]

    def _like(self, bucket: str, person: BlockedPerson | None) -> set[str]:
        """Faces of a bucket that are like the person's, and nobody's."""
        faces = self.home.face_store(bucket, self.model_id, self.dim).columns("faces", "face_id", "embedding")
        if person is None or faces.is_empty():
            return set()
        near = set(faces.filter(pl.Series(person.is_like(normalised(faces["embedding"].to_numpy()))))["face_id"])
        taken = set[str]()
        for library in self.libraries:
            decided = library.registry.decisions(bucket)
            others = decided.filter(pl.col("identity").is_not_null() & ~pl.col("state").is_in(NOT_THEIRS))
            taken |= set(others["face_id"]) | library.snapshot().faces_of_people(near)
        return near - taken

    def _own_labels(self, library: Library, names: Collection[str]) -> tuple[str, ...]:
        own = {one.label for one in library.registry.identities() if one.name in names and one.label}
        others = {one.label for one in library.registry.identities() if one.name not in names and one.live}
        return tuple(sorted(own - others))

    def _gone_buckets(self, there: Collection[str]) -> list[str]:
        """Of roots that can be listed and hold other buckets: a disk that is not mounted takes nothing with it."""
        if not there or not all(_holds_something(root) for root in self.home.bucket_roots):
            return []
        singles = self.home.single_folders()
        runs = {run.bucket for library in self.libraries for run in library.registry.bucket_runs()}
        return sorted(one for one in runs if one not in there and one not in singles and not is_pseudo(one))

    def _counted(self, plan: ForgetPlan) -> ForgetPlan:
        """With the paths of its photos, and its numbers."""
        paths = set[Place]()
        for bucket in sorted({bucket for bucket, _ in plan.photos}):
            going = list(plan.photos_of(bucket))
            for store in self.stores(bucket):
                files = store.columns("files", "path", "sha256").filter(pl.col("sha256").is_in(going))
                paths |= {(bucket, path) for path in files["path"]}
            rows = self.faces(bucket).filter(pl.col("sha256").is_in(going))
            paths |= {(bucket, path) for path in [*rows["path"], *rows["aliases"].explode().drop_nulls()]}
        counts = {
            "facesets": len(plan.names),
            "faces": len({face for _, face in plan.faces}),
            "photos": len({sha256 for _, sha256 in plan.photos}),
            "buckets": len(plan.buckets),
        }
        return replace(plan, paths=_sorted(paths), touched=self._touched(plan), counts=counts)

    def _touched(self, plan: ForgetPlan) -> tuple[str, ...]:
        """Face sets that have such a face, in use or not."""
        found, faces = set[str](), set(plan.faces)
        for library in self.libraries:
            rows = library.registry.memberships().select("name", "bucket", "face_id").iter_rows()
            found |= {name for name, *place in rows if tuple(place) in faces or place[0] in plan.buckets}
        return tuple(sorted(found))


def family_of(library: Library, person: Identity) -> set[str]:
    """The person's name, those of their eras, and all that were merged into them; an era alone is itself."""
    own = {person.name}
    if not person.is_era:
        own |= {one.name for one in library.registry.identities() if one.family == person.name}
    return own | {name for name, end in library.snapshot().redirects.items() if end in own}


def stores_of(cache_dir: Path, bucket: str) -> list[FaceStore]:
    """The caches of a bucket, one for each model that has read it."""
    folders = sorted(path for path in (cache_dir / "faces" / file_name(bucket)).glob("*") if path.is_dir())
    return [FaceStore.cached(cache_dir, bucket, folder.name) for folder in folders]


def _holds_something(root: Path) -> bool:
    return root.is_dir() and any(root.iterdir())


def _sorted(pairs: Iterable[Place]) -> tuple[Place, ...]:
    return tuple(sorted(pairs))


Chosen = Callable[[Subjects], ForgetPlan]
"""Makes the plan of what was named."""
