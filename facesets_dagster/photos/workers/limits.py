"""What reading photos may take: memory, bytes of a file, seconds."""

from dataclasses import dataclass

from facesets_dagster.memory import memory_bytes

MEGABYTE = 1_000_000
_SHARE_OF_MEMORY = 0.5
PROCESS_BYTES = 64 * MEGABYTE
"""What a process takes that has not decoded anything."""
SMALL_BYTES = 64 * MEGABYTE
"""What each process may take for decoding without asking: enough for 5 megapixels of any format, 20 of a JPEG."""
SMALL_FILE_BYTES = 32 * MEGABYTE
"""Files up to this size are read without asking."""
KEPT_BYTES = 96 * MEGABYTE
"""Pixels of a photo up to this size (32 megapixels) leave their memory to the next one."""
_EACH = PROCESS_BYTES + SMALL_BYTES + SMALL_FILE_BYTES + KEPT_BYTES


@dataclass(frozen=True)
class PhotoLimits:
    """The limits of all processes together, and of one photo."""

    memory_bytes: int
    """Of all of them, pixels that are handed on included; the models and the run itself are not."""
    file_bytes: int
    """Larger files are not read."""
    seconds: float
    """For decoding one photo; reading it may take as long, and a second for each megabyte more."""

    @classmethod
    def of(cls, memory_mb: float | None, file_mb: float, seconds: float) -> "PhotoLimits":
        """`memory_mb`: None = half of what the machine or its container has."""
        memory = memory_bytes() * _SHARE_OF_MEMORY if memory_mb is None else memory_mb * MEGABYTE
        return cls(int(memory), int(file_mb * MEGABYTE), seconds)

    def processes(self, wanted: int) -> int:
        """How many of them the memory is enough for, at least one."""
        return max(min(wanted, self.memory_bytes // (_EACH + SMALL_BYTES)), 1)

    def for_large(self, processes: int) -> int:
        """Bytes that large photos share, beyond what each process has for itself."""
        return max(self.memory_bytes - processes * _EACH, SMALL_BYTES)
