"""Contact sheets as one JPEG: a row of faces per faceset or per reason, each with its caption, within a byte budget."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from facesets_dagster.reports.data_uri import data_uri
from facesets_dagster.reports.markdown import Markdown
from facesets_dagster.wording import counted

MAX_MARKDOWN_BYTES = 200_000
_TILE, _CAPTION, _TITLE, _GAP = 96, 16, 22, 6
PER_ROW = 8
_MAX_ROWS = 40


@dataclass(frozen=True)
class Tile:
    """A JPEG and its caption."""

    jpeg: bytes
    caption: str
    photo: tuple[str, str] | None = None
    """Bucket and path of the photo that a page links to."""


@dataclass(frozen=True)
class SheetRow:
    """A title and the faces below it; at most 8 are drawn."""

    title: str
    tiles: Sequence[Tile]
    faces: int | None = None
    """How many there are, where the heading is to say it."""

    def heading(self, most: int | None = None) -> str:
        """`faceset_001: 8 of 12 faces`; `most`: tiles that are shown, None for all that the row has."""
        if self.faces is None:
            return self.title
        shown = len(self.tiles[:most])
        of = f"{shown} of " if shown < self.faces else ""
        return f"{self.title}: {of}{counted(self.faces, 'face')}"


def rows_of(tiles: Sequence[Tile], title: str = "") -> list[SheetRow]:
    """Rows of 8, each with this title."""
    return [SheetRow(title, tiles[start : start + PER_ROW]) for start in range(0, len(tiles), PER_ROW)]


def sheet_markdown(rows: Sequence[SheetRow]) -> Markdown:
    """Markdown of at most `MAX_MARKDOWN_BYTES`: fewer rows, and less quality, where it would be more."""
    rows = [row for row in rows if row.tiles]
    shown = min(len(rows), _MAX_ROWS)
    while shown:
        picture = _drawn(rows[:shown])
        more = f"\n\n{len(rows) - shown} more in the report" if shown < len(rows) else ""
        for quality in (85, 70):
            stream = io.BytesIO()
            picture.save(stream, "JPEG", quality=quality)
            markdown = f"![]({data_uri('image/jpeg', stream.getvalue())}){more}"
            if len(markdown) <= MAX_MARKDOWN_BYTES:
                return Markdown(markdown)
        shown = shown * 2 // 3
    return Markdown("nothing to show")


def sheet_jpeg(rows: Sequence[SheetRow]) -> bytes:
    """The whole sheet as a JPEG file, whatever its size."""
    stream = io.BytesIO()
    _drawn(rows).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _drawn(rows: Sequence[SheetRow]) -> Image.Image:
    step = _TITLE + _TILE + _CAPTION + _GAP
    sheet = Image.new("RGB", (PER_ROW * (_TILE + _GAP) + _GAP, step * len(rows) + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    title, caption = ImageFont.load_default(14), ImageFont.load_default(11)
    for number, row in enumerate(rows):
        top = number * step
        draw.text((_GAP, top + 3), _fitting(row.heading(PER_ROW), title, sheet.width - 2 * _GAP), "black", font=title)
        for place, tile in enumerate(row.tiles[:PER_ROW]):
            left = _GAP + place * (_TILE + _GAP)
            with Image.open(io.BytesIO(tile.jpeg)) as face:
                face.thumbnail((_TILE, _TILE))
                sheet.paste(face, (left, top + _TITLE))
            words = _fitting(tile.caption, caption, _TILE + _GAP - 2)
            draw.text((left, top + _TITLE + _TILE + 1), words, "#444", font=caption)
    return sheet


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text, without its middle where it is wider than `width` px: names differ at their ends."""
    if font.getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 2 and font.getlength(_without_middle(text, kept)) > width:
        kept -= 1
    return _without_middle(text, kept)


def _without_middle(text: str, kept: int) -> str:
    return f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"
