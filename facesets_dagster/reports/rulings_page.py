"""The page of `applied_rulings`: what rulings made of the library in a run."""

from collections.abc import Iterable, Sequence

from facesets_dagster.identities.ruling_words import about
from facesets_dagster.identities.rulings import KINDS, Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.applied_rulings import ApplyResult
from facesets_dagster.reports.contact_sheet import SheetRow
from facesets_dagster.reports.markdown import Markdown, faceset_link, markdown_table
from facesets_dagster.reports.system_page import Section, row_of_faceset

_RULING = ("kind", "about", "by", "when", "through", "id")


def applied_sheet(result: ApplyResult, library: Library) -> list[SheetRow]:
    """The facesets that changed."""
    changed = {fate.name for fate in result.update.notes.published()}
    live = {one.name: one for one in library.snapshot().named(changed).values() if one.live and not one.is_era}
    return [row_of_faceset(library.folder / name, f"{name} {live[name].label or ''}".strip()) for name in sorted(live)]


def applied_sections(result: ApplyResult, sheet: Sequence[SheetRow]) -> list[Section]:
    """What a run did."""
    return _filled(
        Section("New rulings", _meant(result.obeyed), _RULING, _rows(result.obeyed), sheet),
        Section("Taken back", "The library does not obey them any more.", _RULING, _rows(result.taken_back)),
        Section(
            "Merged",
            "The second name leads to the first from now on; `facesets rulings undo` takes it back.",
            ("stays", "merged into it"),
            [(merge.keeper, merge.merged) for merge in result.merged],
        ),
        Section("Split", "A new face set, with the faces of its examples.", ("new", "was part of"), result.split_off),
        Section("Out of use", "Their numbers stay taken.", ("name", "why"), result.out_of_use),
        Section("Back", "They are in use again.", ("name", "was"), list(result.back.items())),
        Section("As before", "Byte for byte an earlier folder.", ("faceset",), _column(result.as_before)),
        Section("Nothing left", "Other identities have their faces by now.", ("name",), _column(result.nothing_left)),
        Section("Merged before", "By an earlier run.", ("name", "leads to"), result.asked.already),
        Section("Undone already", "They stand alone.", ("name",), _column(result.alone_already)),
        Section("Two people", "Never proposed again.", ("one", "the other"), result.asked.reject),
        Section("Not rejected any more", "May be proposed again.", ("one", "the other"), result.asked.accepted_again),
    )


def applied_tables(result: ApplyResult) -> dict[str, object]:
    """The tables for the UI; the names of metadata are the report's headings."""
    merged = [(faceset_link(merge.keeper), merge.merged) for merge in result.merged]
    return {
        "new_rulings": _table(result.obeyed),
        "taken_back": _table(result.taken_back),
        "merged": markdown_table(("stays", "merged into it"), merged) if merged else None,
        "split": [f"{name} out of {source}" for name, source in result.split_off],
        "out_of_use": [f"{name}: {why}" for name, why in result.out_of_use],
        "back": [f"{name} (was {came})" for name, came in result.back.items()],
        "byte_for_byte_as_before": result.as_before[:500],
        "nothing_left": result.nothing_left,
        "merged_before": [f"{name} into {keeper}" for name, keeper in result.asked.already[:500]],
        "stood_alone_already": result.alone_already,
    }


def _table(rulings: Sequence[Ruling]) -> Markdown | None:
    return markdown_table(_RULING, _rows(rulings), most=200) if rulings else None


def _rows(rulings: Iterable[Ruling]) -> list[tuple[object, ...]]:
    return [(one.kind, about(one), one.made_by, one.made_at[:16], one.via, one.ruling_id) for one in rulings]


def _meant(rulings: Iterable[Ruling]) -> str:
    kinds = sorted({ruling.kind for ruling in rulings})
    if not kinds:
        return "None."
    return "; ".join(f"{kind}: {KINDS[kind]}" for kind in kinds) + "."


def _filled(first: Section, *others: Section) -> list[Section]:
    """The first section always, of the others those that hold something."""
    return [first, *(section for section in others if section.rows)]


def _column(names: Iterable[str]) -> list[tuple[str]]:
    return [(name,) for name in names]
