"""Every error that the platform raises on purpose, in one tree.

    FacesetsError
    ├── SettingsError          a setting or run-config value cannot be used
    ├── BucketError            a bucket folder is absent, unreadable, or its name is not valid
    ├── PhotoError             one photo cannot be used; recorded as data, never stops a bucket
    ├── ModelError
    │   ├── ModelPackMissing   the pack is not on this machine and could not be fetched
    │   ├── ModelPackInvalid   files of the pack are not what they should be
    │   ├── ModelMismatch      results of two models would be compared
    │   ├── SessionFailed      ONNX Runtime cannot open a model
    │   └── ProviderUnavailable   the session runs on another execution provider than the one set
    ├── DiskSpaceError         too little room for the work ahead
    └── LibraryError
        ├── LibraryLocked      another live process holds the library
        ├── RegistryUnavailable   the registry's database cannot do its work now
        ├── LibraryUnpaired    library and registry do not belong together, or one of them is lost
        ├── LibraryCorrupt     a file differs from what its manifest or the registry says
        ├── PublishRefused     publishing would have broken a rule of the library
        └── RulingRefused      a ruling contradicts others that are in force

A message says what was found, what was expected and what to do next. Errors of other libraries are translated where
they enter. Every module may import this one; it imports nothing of the project.
"""


class FacesetsError(Exception):
    """Base of all errors raised on purpose."""


class SettingsError(FacesetsError):
    """A setting or run-config value cannot be used."""


class BucketError(FacesetsError):
    """A bucket folder is absent, unreadable, or its name is not valid."""


class PhotoError(FacesetsError):
    """One photo cannot be used.

    `reason` is a stable, machine-readable word (`unreadable`, `too_large`, `not_an_image`, ...) that ends up in the
    cache's file table; the message is the detail beside it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ModelError(FacesetsError):
    """Base of errors about model packs."""


class ModelPackMissing(ModelError):
    """The pack is not on this machine and could not be fetched."""


class ModelPackInvalid(ModelError):
    """Files of the pack are not what they should be."""


class ModelMismatch(ModelError):
    """Results of two models would be compared."""


class SessionFailed(ModelError):
    """ONNX Runtime cannot open a model."""


class ProviderUnavailable(ModelError):
    """The session runs on another execution provider than the one set."""


class DiskSpaceError(FacesetsError):
    """Too little room for the work ahead."""


class LibraryError(FacesetsError):
    """Base of errors about the library of face sets."""


class LibraryLocked(LibraryError):
    """Another live process holds the library."""


class RegistryUnavailable(LibraryError):
    """The registry's database cannot do its work now: locked, full, read-only, or not reached."""


class LibraryUnpaired(LibraryError):
    """Library and registry do not belong together, or one of them is lost."""


class LibraryCorrupt(LibraryError):
    """A file differs from what its manifest or the registry says."""


class PublishRefused(LibraryError):
    """Publishing would have broken a rule of the library."""


class RulingRefused(LibraryError):
    """A ruling contradicts others that are in force."""

    def __init__(self, message: str, rulings: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.rulings = rulings
        """Ids of the rulings that contradict each other."""
