"""The year a photo is from, as far as it says so: its EXIF text, its file name, the folders that it lies in.

Pure: texts in, a year or nothing out; photos are opened by `photos.exif`. Careful rather than complete: a number that
may be a counter, a size or an id is no year, and a name with two answers gives none, because a wrong year puts a face
into the wrong period in silence while "undated" is seen.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta

EARLIEST_YEAR = 1900
"""Older numbers in names are counters, older EXIF dates are errors: there was no camera that wrote EXIF."""

_EARLIEST_TODAY = date(2026, 1, 1)
"""A clock that is before this is wrong: this code is younger."""

SOURCES = ("exif", "file_name", "folder_name", "undated")
"""Where a date can come from, the most trusted first."""


@dataclass(frozen=True)
class PhotoDate:
    """A photo's year and the source of it."""

    year: int | None
    source: str
    """One of `SOURCES`."""


def today_at_least() -> date:
    """Today, for which later dates are none; a clock that stands in 1970 makes no photo undated."""
    return max(date.today(), _EARLIEST_TODAY)


def date_photo(
    taken: str | None, paths: Sequence[str], counters: Mapping[str, AbstractSet[str]], today: date
) -> PhotoDate:
    """The date of a content: by EXIF, else by its first file name that has one, else by its nearest folder that has.

    `taken`: EXIF `DateTimeOriginal` as it stands there; `paths`: paths of the content with `/`, the bucket's folder
    first; `counters`: `counter_shapes` of everything beside them, by folder.
    """
    if taken is not None and (year := year_of_exif(taken, today)) is not None:
        return PhotoDate(year, "exif")
    for path in paths:
        folder, _, name = path.rpartition("/")
        if (year := year_of_name(_stem(name), counters.get(folder, frozenset()), today)) is not None:
            return PhotoDate(year, "file_name")
    for path in paths:
        folders = path.split("/")[:-1]
        for depth in reversed(range(len(folders))):
            beside = counters.get("/".join(folders[:depth]), frozenset())
            if (year := year_of_name(folders[depth], beside, today)) is not None:
                return PhotoDate(year, "folder_name")
    return PhotoDate(None, "undated")


_EXIF = re.compile(r"(\d{4})[:/.-](\d{1,2})[:/.-](\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_RESET_DAYS = frozenset({(1900, 1, 1), (1904, 1, 1), (1970, 1, 1), (1980, 1, 1), (1980, 1, 6), (2000, 1, 1)})
"""Where clocks begin (Excel, old Macs, Unix, DOS, GPS, many cameras) and run on until they are set."""
_RESET_MOMENTS = frozenset({"2002-12-08 12:00:00", "1999-11-30 00:00:00"})
"""Fixed texts of phones without a clock, and of a zero date that was normalised."""
_FIRST_RESET_YEAR = 2001
"""1 January, 00:00, of this year or a later one is a camera's factory setting; of an earlier one, a year that somebody
set by hand on a scan."""


WIDEST_RANGE_YEARS = 10
"""Its middle lies five years from its ends, which is what `join_years` of the eras bridges."""


def year_of_exif(taken: str, today: date) -> int | None:
    """The year of an EXIF date, None if it is no date, out of bounds, in the future or a camera's default."""
    match = _EXIF.match(taken.strip("\0 \t\r\n"))
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    if not _is_day(year, month, day, today) or hour > 24 or minute > 59 or second > 60:
        return None
    moment = f"{year}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}"
    factory = year >= _FIRST_RESET_YEAR and (month, day, hour, minute) == (1, 1, 0, 0)
    if (year, month, day) in _RESET_DAYS or moment in _RESET_MOMENTS or factory:
        return None
    return year


_YEAR = r"(?:19|20)\d{2}"
_START, _END = r"(?<![^\W_])", r"(?![^\W_])"
"""Not inside a word: no letter or digit of any script before, after."""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_YEAR_FIRST = re.compile(
    rf"(?<!\d)({_YEAR})(?:(?P<sep>[-.])(\d{{1,2}})(?P=sep)(\d{{1,2}})|(?P<wide>[_ :])(\d\d)(?P=wide)(\d\d))(?!\d)"
)
_YEAR_LAST = re.compile(rf"(?<![\d.-])(\d{{1,2}})([-_. ])(\d{{1,2}})\2({_YEAR})(?!\d)")
_COMPACT = re.compile(rf"(?<!\d)({_YEAR})(\d\d)(\d\d)(?:([01]\d|2[0-3])[0-5]\d[0-5]\d\d{{0,3}})?(?!\d)")
_RANGE = re.compile(rf"{_START}({_YEAR}) ?[-–] ?({_YEAR}){_END}")
_DECADE = re.compile(rf"{_START}((?:19|20)\d)0(?:s|er){_END}")
_NUMBER = re.compile(rf"{_START}\d+{_END}")


def year_of_name(name: str, counters: AbstractSet[str], today: date) -> int | None:
    """The year in the name of a file (without suffix) or folder.

    A whole date wins over a range or a decade (its middle year), that over a year that stands alone. Two of the same
    kind that differ give nothing, nor does a range of more than `WIDEST_RANGE_YEARS`.
    """
    name = _UUID.sub(" ", name)
    found: set[int | None]
    for years in (_whole_dates(name, today), _ranges(name, today), _bare_years(name, counters, today)):
        found = set(years)
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def counter_shapes(paths: Iterable[str], today: date) -> dict[str, set[str]]:
    """Folder -> shapes of names in it whose number counts: next to `x_1998` stands an `x_0412`, which is no year.

    `paths`: all files of a bucket with `/`. A shape is a name with the number replaced by `#`; folders have names too.
    """
    names: dict[str, set[str]] = {}
    for path in paths:
        *folders, file = path.split("/")
        names.setdefault("/".join(folders), set()).add(_stem(file))
        for depth, folder in enumerate(folders):
            names.setdefault("/".join(folders[:depth]), set()).add(folder)
    shapes: dict[str, set[str]] = {}
    for parent, siblings in names.items():
        for name in siblings:
            for match in _NUMBER.finditer(name):
                if len(match[0]) == 4 and not _is_year(int(match[0]), today):
                    shapes.setdefault(parent, set()).add(_shape(name, match))
    return shapes


def _stem(file: str) -> str:
    """A file's name without its suffix."""
    stem, dot, suffix = file.rpartition(".")
    return stem if dot and stem and suffix.isalnum() and not suffix.isdigit() else file


def _shape(name: str, match: re.Match[str]) -> str:
    return f"{name[: match.start()]}#{name[match.end() :]}"


def _is_year(year: int, today: date) -> bool:
    return EARLIEST_YEAR <= year <= today.year


def _is_day(year: int, month: int, day: int, today: date) -> bool:
    """A day of the calendar, within bounds; tomorrow counts, it has begun elsewhere."""
    try:
        return year >= EARLIEST_YEAR and date(year, month, day) <= today + timedelta(days=1)
    except ValueError:
        return False


def _whole_dates(name: str, today: date) -> Iterator[int]:
    """`2013-05-04`, `2013_05_04`, `04.05.2013`, `IMG_20130504_101112`, `20130504101112`."""
    for match in _YEAR_FIRST.finditer(name):
        year, month, day = (int(part) for part in match.groups() if part and part.isdigit())
        if _is_day(year, month, day, today):
            yield year
    for match in _YEAR_LAST.finditer(name):
        year, first, second = int(match[4]), int(match[1]), int(match[3])
        if _is_day(year, second, first, today) or _is_day(year, first, second, today):
            yield year
    for match in _COMPACT.finditer(name):
        if _is_day(int(match[1]), int(match[2]), int(match[3]), today):
            yield int(match[1])


def _ranges(name: str, today: date) -> Iterator[int | None]:
    """The middle years of `1998-2004` and of `1990s`; None for a range so wide that its middle would be a guess."""
    for match in _RANGE.finditer(name):
        first, last = int(match[1]), int(match[2])
        if first <= last and _is_year(first, today) and _is_year(last, today):
            yield (first + last) // 2 if last - first <= WIDEST_RANGE_YEARS else None
    for match in _DECADE.finditer(name):
        first = int(match[1]) * 10
        if _is_year(first, today):
            yield (first + min(first + 9, today.year)) // 2


_COUNTED = (
    "img|imag|image|images|dsc|dscn|dscf|dcp|dc|pict|pic|pics|picture|photo|photos|foto|fotos|bild|bilder|scan|mvi|mov|"
    "vid|video|gopr|gp|cimg|sam|sdc|hpim|pana|kif|frame|file|face|faces|faceset|person|cluster|mg|wa|no|nr|num|number|"
    "id|page|seite|iso|copy|kopie|clip|snap|cap|capture|crop|thumb|avatar|untitled|unnamed|index|seq|part|batch|set|"
    "version|rev|model|type|room|route|lot|item|art|ref|sku"
)
_COUNTER_BEFORE = re.compile(
    rf"(?:{_START}(?:{_COUNTED}|[^\W\d_])[\W_]*|#|{_START}\d{{3,}}[\W_]+|\d[\W_]*[x×*][\W_]*)$", re.IGNORECASE
)
"""A word that numbers things, a single letter, a number of three digits or more (`100_1998`), the width of a size."""
_UNITS = "px|pixels?|p|k|dpi|ppi|mm|cm|km|kb|mb|gb|fps|hz|mp|iso|eur|usd"
_NO_YEAR_AFTER = re.compile(rf"[\W_]*(?:[x×*][\W_]*\d|(?:{_UNITS}){_END}|[€$%]|\d{{5}})", re.IGNORECASE)
"""The height of a size, a unit, an id."""
_NEXT_NUMBER = re.compile(rf"[\W_]+([1-9]\d{{3}}){_END}")


def _bare_years(name: str, counters: AbstractSet[str], today: date) -> Iterator[int]:
    """Years that stand alone: `1998`, `Paris 2004`, `2004_0012`; not `IMG_2013`, `1920x1080`, `100_1998`."""
    for match in _NUMBER.finditer(name):
        if len(match[0]) != 4 or not _is_year(int(match[0]), today) or _shape(name, match) in counters:
            continue
        following = _NEXT_NUMBER.match(name, match.end())  # a second year, or the height of a size
        twin = following is not None and following[1] != match[0]
        if twin or _COUNTER_BEFORE.search(name[: match.start()]) or _NO_YEAR_AFTER.match(name, match.end()):
            continue
        yield int(match[0])
