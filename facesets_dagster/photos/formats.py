"""Which files are photos: by the suffix of the name, and by the first bytes where the suffix says nothing.

What belongs here: suffixes, first bytes, and which of the optional decoders are installed. Decoding is `decode`.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

_WITH_PILLOW = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".jp2", ".j2k", ".j2c", ".jpx", ".jpf", ".jpc", ".mpo"),
    *(".png", ".apng", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif", ".heic", ".heif", ".hif", ".heics", ".avif"),
    *(".avifs", ".psd", ".psb", ".ico", ".tga", ".icns", ".qoi", ".sgi", ".ppm", ".pgm", ".pbm", ".pnm"),
)
_RAW = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".gpr", ".iiq", ".kdc", ".mef", ".mos", ".mrw"),
    *(".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
RAW_SUFFIXES = frozenset(_RAW)
_JPEG_XL = (".jxl",)
OTHER_SUFFIXES = frozenset(
    (
        *(".txt", ".md", ".rtf", ".pdf", ".doc", ".docx", ".odt", ".xls", ".xlsx", ".ods", ".csv", ".tsv", ".ppt"),
        *(".pptx", ".xmp", ".xml", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".log"),
        *(".htm", ".html", ".css", ".js", ".url", ".webloc", ".lnk", ".nfo", ".sfv", ".md5", ".sha256", ".par2"),
        *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".vob", ".3gp", ".wmv"),
        *(".flv", ".lrv", ".insv", ".mp3", ".m4a", ".wav", ".ogg", ".opus", ".flac", ".aac", ".wma", ".aiff", ".amr"),
        *(".zip", ".rar", ".7z", ".gz", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".iso", ".dmg", ".fsz", ".npz", ".npy"),
        *(".aae", ".thm", ".pp3", ".dop", ".cos", ".cop", ".cot", ".cof", ".on1", ".nksc", ".arp", ".rwz", ".wav"),
        *(".db", ".db-wal", ".db-shm", ".sqlite", ".sqlite3", ".lrcat", ".parquet", ".safetensors", ".onnx", ".pth"),
        *(".svg", ".svgz", ".ai", ".eps", ".indd", ".xcf", ".kra", ".afphoto", ".cpt", ".blend", ".ttf", ".otf"),
        *(".exe", ".dll", ".bat", ".cmd", ".sh", ".py", ".pyc", ".so", ".apk", ".app", ".jar", ".plist", ".strings"),
        *(".tmp", ".temp", ".part", ".partial", ".crdownload", ".download", ".filepart", ".!ut", ".lock", ".bak"),
    )
)
"""Suffixes of other things, of unfinished downloads and of backups: such files are not looked into."""
_BACKUP_ENDING = "_original"
"""What exiftool appends to the suffix of the file that it has changed: the photo lies beside it."""


@dataclass(frozen=True)
class OptionalDecoder:
    """A decoder that is an extra of the distribution."""

    what: str
    """In words."""
    module: str
    extra: str

    @property
    def advice(self) -> str:
        """The sentence how to get it."""
        return f"Run `make setup`, or `pip install 'facesets-dagster[{self.extra}]'`, to have {self.what} read."

    @property
    def installed(self) -> bool:
        """Whether it is there."""
        return _installed(self.module)


RAW_DECODER = OptionalDecoder("RAW photos", "rawpy", "raw")
JPEG_XL_DECODER = OptionalDecoder("JPEG XL photos", "pillow_jxl", "jxl")
OPTIONAL_DECODERS = (RAW_DECODER, JPEG_XL_DECODER)


def overcome_advice() -> list[str]:
    """What was said of decoders that are installed by now: what was left aside for lack of them is to be read."""
    return [decoder.advice for decoder in OPTIONAL_DECODERS if decoder.installed]


def suffix_of(name: str) -> str:
    """The suffix in small letters, with its dot; empty where there is none."""
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def is_photo_suffix(suffix: str) -> bool | None:
    """True for a photo that can be read here, False for none, None where only the content can say.

    `suffix`: as `suffix_of` returns it.
    """
    if suffix in _PHOTOS:
        return True
    decoder = decoder_of_suffix(suffix)
    if decoder is not None:
        return decoder.installed
    return False if suffix in OTHER_SUFFIXES or suffix.endswith(_BACKUP_ENDING) else None


def decoder_of_suffix(suffix: str) -> OptionalDecoder | None:
    """The optional decoder that files with this suffix need."""
    if suffix in RAW_SUFFIXES:
        return RAW_DECODER
    return JPEG_XL_DECODER if suffix in _JPEG_XL else None


HEAD_BYTES = 64
"""As many first bytes does `format_of` need."""

_FIRST_BYTES = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (8, b"WEBP", "WebP"),
    (0, b"8BPS", "PSD"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xffO\xffQ", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"qoif", "QOI"),
    *((0, magic, "RAW") for magic in (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")),
    (6, b"HEAPCCDR", "RAW"),
    (4, b"ftypcrx ", "RAW"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc"), "HEIF")}
_LIKELY_BRANDS = {**_BRANDS, **dict.fromkeys((b"mif1", b"msf1", b"miaf"), "HEIF")}


def format_of(head: bytes) -> str | None:
    """The photo format that a content begins like (`RAW` for all of them); None where it is none.

    `head`: at least the first `HEAD_BYTES`, or all there is. Formats whose first bytes say little (ICO, TGA, PNM) are
    known by the suffix only.
    """
    for offset, magic, name in _FIRST_BYTES:
        if head.startswith(magic, offset):
            return name
    if head[4:8] == b"ftyp":
        brands = [head[8:12], *(head[place : place + 4] for place in range(16, min(len(head), HEAD_BYTES), 4))]
        return next((_LIKELY_BRANDS[brand] for brand in brands if brand in _LIKELY_BRANDS), None)
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0" and len(head) >= 26:
        return "BMP"
    return None


def decoder_of_format(name: str) -> OptionalDecoder | None:
    """The optional decoder that this format (of `format_of`) needs."""
    return {"RAW": RAW_DECODER, "JPEG XL": JPEG_XL_DECODER}.get(name)


_PHOTOS = frozenset(_WITH_PILLOW)


@cache
def _installed(module: str) -> bool:
    return find_spec(module) is not None
