"""One photo file on its way through a photo process: read, then decoded; what the process does to it is its failure."""

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.decode import DecodedPhoto
from facesets_dagster.photos.workers.channel import Message
from facesets_dagster.photos.workers.limits import MEGABYTE, SMALL_BYTES, SMALL_FILE_BYTES, PhotoLimits
from facesets_dagster.photos.workers.memory_budget import MemoryBudget, Stopped
from facesets_dagster.photos.workers.opened_file import FileState
from facesets_dagster.photos.workers.process_handle import ProcessDied, ProcessHandle
from facesets_dagster.photos.workers.process_pool import ProcessPool, StopSign

_BYTES_A_SECOND = MEGABYTE
"""A file is read with at least."""
_READ_SECONDS = 30.0
"""More for any file: a folder that does not answer holds up each of its files for so long."""
MORE_MEMORY = "Set FACESETS_PHOTO_MEMORY_MB to more, then have it read again with `retry_failed`."
MORE_SECONDS = "Set FACESETS_PHOTO_SECONDS to more, then have it read again with `retry_failed`."
SAVE_ANEW = "If another program opens it, save it anew there."


class OpenPhoto:
    """A photo file that is read and decoded; `close` gives back what it holds."""

    def __init__(
        self,
        pool: ProcessPool,
        budget: MemoryBudget,
        limits: PhotoLimits,
        path: Path,
        state: FileState | None,
        stop: StopSign,
    ) -> None:
        self._pool, self._budget, self._limits = pool, budget, limits
        self._path, self._state, self._stop = path, state, stop
        self._process: ProcessHandle | None = None
        self._asked = False
        self._held = self._file_bytes = 0
        self._refused = False
        self.sha256 = ""
        """Of its bytes; empty if it is no photo by its first ones."""
        self.foreign = ""
        """Why it is no photo by its first bytes; empty if it may be one."""

    def read(self, *, unsure: bool = False) -> None:
        """Reads and hashes; `unsure`: only if the first bytes are a photo's. Raises `PhotoError`, or `Stopped`."""
        try:
            self._read(unsure)
        except ProcessDied:  # killed by whomever, or for lack of memory: reading does nothing that could do that
            try:
                self._read(unsure)
            except ProcessDied as died:
                raise PhotoError("crashed", f"the process that reads it {died.how}, twice") from None

    def decode(self, max_pixels: int) -> DecodedPhoto:
        """Its pixels, in memory that is used again once no array looks at them. Raises `PhotoError`, or `Stopped`.

        A photo whose process dies, or gets less memory than it takes, is decoded once more: alone, by another process,
        with all memory that there is. Only then it is certain that it was the photo.
        """
        try:
            return self._decode(max_pixels, SMALL_BYTES)
        except ProcessDied:
            pass
        except PhotoError as error:
            if error.reason != "needs_too_much_memory" or self._refused:
                raise
        return self._decode_alone(max_pixels)

    def taken(self, max_pixels: int) -> str | None:
        """The text of EXIF `DateTimeOriginal`, by its header alone. Raises `PhotoError`, or `Stopped`."""
        message = {"do": "taken", "max_pixels": max_pixels, **self._place()}
        try:
            answer, _ = self._ask(message, lambda _: self._limits.seconds)
        except ProcessDied as died:
            raise PhotoError("crashed", f"the process that reads its header {died.how}") from None
        taken = answer["taken"]
        return None if taken is None else str(taken)

    def close(self) -> None:
        """Gives process and memory back."""
        self._let_go()
        self._budget.give(self._held)
        self._held = 0

    def _read(self, unsure: bool) -> None:
        size = self._state.size if self._state else 0
        most = self._limits.file_bytes
        message = {"do": "read", "unsure": unsure, "most": most, "granted": SMALL_FILE_BYTES, **self._place()}
        seconds = min(_READ_SECONDS, self._limits.seconds)
        answer, _ = self._ask(message, lambda granted: seconds + max(size, granted) / _BYTES_A_SECOND)
        self.foreign, self.sha256 = str(answer.get("foreign", "")), str(answer.get("sha256", ""))
        read = int(str(answer.get("bytes", 0)))
        self._file_bytes = read if read > SMALL_FILE_BYTES else 0

    def _place(self) -> Message:
        state = self._state
        listed = (None, None, None) if state is None else (state.size, state.mtime_ns, state.inode)
        return {"path": str(self._path), **dict(zip(("size", "mtime_ns", "inode"), listed, strict=True))}

    def _decode_alone(self, max_pixels: int) -> DecodedPhoto:
        before = self.sha256
        self._take(self._budget.total)
        self.read()
        if self.sha256 != before:
            raise PhotoError("changing", "written to while it was read")
        try:
            return self._decode(max_pixels, self._budget.total - self._file_bytes)
        except ProcessDied as died:
            if died.signal_number == signal.SIGKILL:
                raise self._too_much("the system ended its decoder, most likely for lack of memory") from None
            raise PhotoError("crashed", f"the process that decodes it {died.how}, twice. {SAVE_ANEW}") from None
        except PhotoError as error:
            if error.reason == "needs_too_much_memory" and not self._refused:
                raise self._too_much(error.detail) from None
            raise

    def _too_much(self, what: str) -> PhotoError:
        all_of_it = f"all photos that are read at once may take {self._limits.memory_bytes // MEGABYTE} MB"
        return PhotoError("needs_too_much_memory", f"{what}; {all_of_it}. {MORE_MEMORY}")

    def _decode(self, max_pixels: int, granted: int) -> DecodedPhoto:
        process = self._process
        assert process is not None, "read before"
        buffer = process.free_buffer()
        message = {"do": "decode", "max_pixels": max_pixels, "granted": granted, "buffer": buffer}
        try:
            answer, files = self._ask(message, lambda _: self._limits.seconds)
        except PhotoError:
            process.put_back(buffer)
            raise
        return self._handed_on(process, answer, files)

    def _handed_on(self, process: ProcessHandle, answer: Mapping[str, object], files: Sequence[int]) -> DecodedPhoto:
        shape = answer["shape"]
        assert isinstance(shape, list)
        height, width = shape
        length, number = height * width * 3, int(str(answer["buffer"]))
        pixels = process.pixels(number, files, length)
        mask = process.mask(number, length, height * width) if answer["masked"] else None
        undecoded = None if mask is None else mask.view(np.bool_).reshape(height, width)
        self._let_go()
        self._budget.give(max(self._held - length, 0))
        self._held = min(self._held, length)
        image = pixels.reshape(height, width, 3)
        return DecodedPhoto(image, str(answer["format"]), bool(answer["truncated"]), undecoded)

    def _ask(self, message: Message, seconds: Callable[[int], float]) -> tuple[Mapping[str, object], Sequence[int]]:
        """`seconds`: that the answer may take, by the bytes that were granted last."""
        if self._process is None:
            self._process = self._pool.lend(self._stop)
        granted, self._asked = 0, True
        while True:
            try:
                with self._stop.asking(self._process):
                    answer, files = self._process.ask(message, seconds(granted))
            except ProcessDied:
                self._let_go()
                if self._stop():
                    raise Stopped from None
                raise
            except TimeoutError:
                self._let_go()
                doing = f"{message.get('do', 'decode')} it took more than {seconds(granted):.0f} seconds"
                raise PhotoError("too_slow", f"to {doing}. {MORE_SECONDS}") from None
            if "needs" not in answer:
                break
            granted = self._granted(int(str(answer["needs"])))
            message = {"granted": granted}
        self._asked = False
        if "failed" in answer:
            raise self._failure(answer["failed"])
        return answer, files

    def _failure(self, failed: object) -> PhotoError:
        assert isinstance(failed, list)
        reason, detail = map(str, failed)
        return self._too_much(detail) if self._refused else PhotoError(reason, detail)

    def _granted(self, needed: int) -> int:
        """The bytes, once they are free; 0 if there will never be so many."""
        if needed + self._file_bytes > self._budget.total:
            self._refused = True
            return 0
        self._take(needed + self._file_bytes)
        return needed

    def _take(self, wanted: int) -> None:
        """Holds so many bytes. What is held is given back before: who waits holds nothing, so nobody waits for ever."""
        if wanted > self._held:
            held, self._held = self._held, 0
            self._budget.give(held)
            self._budget.take(wanted, self._stop)
            self._held = wanted

    def _let_go(self) -> None:
        """Of the process: given back, or ended if it has a question that was not answered."""
        process, self._process = self._process, None
        if process is not None and self._asked:
            self._pool.discard(process)
        elif process is not None:
            self._pool.give_back(process)
        self._asked = False
