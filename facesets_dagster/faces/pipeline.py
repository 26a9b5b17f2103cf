"""Worker threads that share two kinds of work: photos to open and faces to recognise, the latter first.

What belongs here: the order of the work, and how much may run at once. The work itself is the caller's `PhotoWork`.

Each worker holds the pixels of one photo at most: they are let go once its faces are aligned. Faces wait in one queue
over all photos, so that a recogniser that likes batches gets full ones, and a photo of forty people is shared by all
workers. No photo is started more than `AHEAD` per worker beyond the next one in order, so that neither the size
of a bucket nor one slow photo lets memory grow.
"""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

AHEAD = 16
"""Photos a worker. Finished ones are rows of a few kB; the more there are, the longer a slow photo may take."""


class HasAligned(Protocol):
    """What opening a file gives."""

    @property
    def aligned(self) -> Sequence[NDArray[np.uint8]]:
        """What the recogniser needs of each face."""
        ...


Item = TypeVar("Item", contravariant=True)
Opened = TypeVar("Opened", bound=HasAligned)
Result = TypeVar("Result", covariant=True)


class PhotoWork(Protocol[Item, Opened, Result]):
    """The work; methods are called from several threads at once."""

    @property
    def batch(self) -> int:
        """Faces that one call of `recognise` should get; read only when there are faces."""
        ...

    def open(self, item: Item, /) -> Opened:
        """A file up to its aligned faces."""
        ...

    def recognise(self, faces: Sequence[NDArray[np.uint8]], /) -> NDArray[np.float32]:
        """Embeddings (n, dim) of faces of one photo or several."""
        ...

    def finish(self, opened: Opened, embeddings: NDArray[np.float32], /) -> Result:
        """What is handed on; `embeddings` (n, dim) of the file's faces, (0, 0) without any."""
        ...


@contextmanager
def in_order(work: PhotoWork[Item, Opened, Result], items: Sequence[Item], workers: int) -> Iterator[Iterator[Result]]:
    """Gives an iterator of results in the order of `items`; workers are at work inside the `with` block.

    An exception of the work comes out at its item's position, after all before it. At the block's end nothing new is
    begun, and what is under way is waited for.
    """
    pipeline = _Pipeline(work, items, workers * AHEAD)
    threads = [
        threading.Thread(target=pipeline.run, name=f"photo_{position}") for position in range(min(workers, len(items)))
    ]
    try:
        for thread in threads:
            thread.start()
        yield (pipeline.take(position) for position in range(len(items)))
    finally:
        pipeline.stop()
        for thread in threads:
            thread.join()


@dataclass
class _Photo(Generic[Opened]):
    """A photo whose faces are being recognised."""

    position: int
    opened: Opened
    waiting: int
    """Faces without a vector."""
    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)


_Face = tuple[_Photo[Opened], int]
"""A photo and which of its faces."""


class _Pipeline(Generic[Item, Opened, Result]):
    """What the workers share; attributes from `_begun` on are touched under `_changed` only."""

    def __init__(self, work: PhotoWork[Item, Opened, Result], items: Sequence[Item], ahead: int) -> None:
        self._work = work
        self._items = items
        self._ahead = ahead
        self._changed = threading.Condition()
        self._begun = 0
        self._opening = 0
        self._taken = 0
        self._stopped = False
        self._faces: deque[_Face[Opened]] = deque()
        self._batch = 1
        self._done: dict[int, Result] = {}
        self._failed: dict[int, BaseException] = {}

    def take(self, position: int) -> Result:
        """Waits for one result; the one before is forgotten, and room is made for a photo more."""
        with self._changed:
            self._taken = position
            self._changed.notify_all()
            self._changed.wait_for(lambda: position in self._done or position in self._failed)
            if position in self._failed:
                raise self._failed[position]
            return self._done.pop(position)

    def stop(self) -> None:
        """No worker begins anything more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def run(self) -> None:
        """A worker's life."""
        while (task := self._next()) is not None:
            if isinstance(task, int):
                self._open(task)
            else:
                self._recognise(task)

    def _next(self) -> int | list[_Face[Opened]] | None:
        """A batch of faces, else a photo's position, else the faces that there are; None when all is done."""
        with self._changed:
            while not self._stopped:
                room = self._begun < min(len(self._items), self._taken + self._ahead)
                if self._faces and (len(self._faces) >= self._batch or not (room or self._opening)):
                    return [self._faces.popleft() for _ in range(min(self._batch, len(self._faces)))]
                if room:
                    self._begun += 1
                    self._opening += 1
                    return self._begun - 1
                if self._begun == len(self._items) and not self._opening:
                    return None
                self._changed.wait()
            return None

    def _open(self, position: int) -> None:
        try:
            opened = self._work.open(self._items[position])
            photo = _Photo(position, opened, len(opened.aligned))
            batch = self._work.batch if photo.waiting else self._batch
            outcome = None if photo.waiting else self._work.finish(opened, np.zeros((0, 0), np.float32))
        except BaseException as error:  # Whatever it is, it is raised where the outcome is waited for.
            self._record(failed={position: error}, opened=True)
            return
        if outcome is not None:
            self._record(done={position: outcome}, opened=True)
            return
        with self._changed:
            self._batch = batch
            self._faces.extend((photo, face) for face in range(photo.waiting))
        self._record(opened=True)

    def _recognise(self, faces: list[_Face[Opened]]) -> None:
        try:
            vectors = self._work.recognise([photo.opened.aligned[face] for photo, face in faces])
            done = {photo.position: self._finished(photo) for photo in self._completed(faces, vectors)}
        except BaseException as error:  # As above.
            self._record(failed={photo.position: error for photo, _ in faces})
            return
        self._record(done=done)

    def _completed(self, faces: list[_Face[Opened]], vectors: NDArray[np.float32]) -> list[_Photo[Opened]]:
        """Photos of which no other face is left."""
        with self._changed:
            for (photo, face), vector in zip(faces, vectors, strict=True):
                photo.vectors[face] = vector
                photo.waiting -= 1
            return list({photo.position: photo for photo, _ in faces if not photo.waiting}.values())

    def _finished(self, photo: _Photo[Opened]) -> Result:
        return self._work.finish(photo.opened, np.stack([photo.vectors[face] for face in range(len(photo.vectors))]))

    def _record(
        self,
        *,
        done: Mapping[int, Result] = MappingProxyType({}),
        failed: Mapping[int, BaseException] = MappingProxyType({}),
        opened: bool = False,
    ) -> None:
        with self._changed:
            self._done.update(done)
            self._failed.update(failed)
            self._opening -= opened
            self._changed.notify_all()
