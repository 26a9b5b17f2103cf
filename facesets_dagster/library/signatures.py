"""One signature per faceset folder, to prove that nothing was disturbed.

Made of path, size, modification and status-change time and inode of every file: no system call lets a program rewrite a
file and keep its status-change time, so equal signatures mean that no byte changed, without reading one.
"""

import hashlib
import os
from pathlib import Path


def faceset_signatures(library_dir: Path) -> dict[str, str]:
    """Name -> signature of every live faceset folder, thin eras included."""
    if not library_dir.is_dir():
        return {}
    folders = [*library_dir.iterdir(), *(library_dir / "_thin").glob("*")]
    return {
        folder.name: _signature(folder)
        for folder in sorted(folders)
        if folder.is_dir() and not folder.name.startswith((".", "_"))
    }


def _signature(folder: Path) -> str:
    hasher = hashlib.sha256()
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            status = os.stat(os.path.join(parent, file), follow_symlinks=False)
            relative = os.path.relpath(os.path.join(parent, file), folder)
            times = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
            hasher.update(f"{relative}{times}\n".encode("utf-8", "surrogateescape"))
    return hasher.hexdigest()
