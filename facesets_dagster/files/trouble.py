"""What a disk or a file system refuses, in a sentence: what was found and what to do. Other errors have none."""

import errno

_WORDS = {
    errno.ENOSPC: "its disk is full. Free some space",
    errno.EDQUOT: "your quota of its disk is used up. Free some space",
    errno.EFBIG: "it may not grow: a limit of this process or of its file system. Raise it (`ulimit -f`)",
    errno.EROFS: "its file system is read-only. Mount it so that it can be written",
    errno.EACCES: "this user may not. Give them the right to read and write it and its folder",
    errno.EPERM: "this user may not, or it is immutable (`lsattr`, `chattr -i`). Make it writable",
    errno.EIO: "its disk does not work. Look at the disk and its cable",
    errno.ENOTCONN: "its network drive is gone. Mount it again",
    errno.ESTALE: "its network drive is gone. Mount it again",
}


def disk_words(error: OSError) -> str | None:
    """The sentence; None for an error that is no refusal of a disk."""
    reason = _WORDS.get(error.errno or 0)
    if reason is None:
        return None
    place = error.filename if error.filename is not None else "A file"
    return f"{place} cannot be read or written: {reason}, then do it again. What was finished is kept."
