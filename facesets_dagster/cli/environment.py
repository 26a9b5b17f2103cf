"""`facesets doctor` and `facesets models`: the environment in tables or JSON."""

from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from facesets_dagster.cli.tables import print_json, text_table
from facesets_dagster.doctor import run_doctor
from facesets_dagster.embedding.packs import list_packs, verify_pack
from facesets_dagster.settings import Settings

_STYLE = {"ok": "green", "warning": "yellow", "problem": "red"}


def print_doctor(settings: Settings, *, as_json: bool) -> int:
    """Findings with advice; 1 if there is a problem."""
    findings = run_doctor(settings)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [
            {"check": found.name, "status": Text(found.status, _STYLE[found.status]), "found": found.found}
            for found in findings
        ]
        console = Console(highlight=False)
        console.print(text_table("facesets doctor", rows))
        for found in findings:
            if found.advice:
                console.print(f"{found.name}: {found.advice}", style=_STYLE[found.status], markup=False, soft_wrap=True)
    return 1 if any(finding.status == "problem" for finding in findings) else 0


def print_packs(settings: Settings, *, as_json: bool) -> None:
    """Packs and where they are."""
    rows = [asdict(row) for row in list_packs(settings.models_root)]
    if not as_json:
        rows = [{**row, "extras": ", ".join(row["extras"])} for row in rows]
    _print("Model packs", rows, as_json)


def print_pack_verification(settings: Settings, *, as_json: bool) -> int:
    """Digests of the packs that are present; 1 if one is wrong."""
    rows = [
        {"pack": row.name, **asdict(check)}
        for row in list_packs(settings.models_root)
        if row.present
        for check in verify_pack(row.name, settings.models_root)
    ]
    _print("Digests", rows, as_json)
    return 1 if any(row.get("ok") is False for row in rows) else 0


def _print(title: str, rows: list[dict[str, object]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    Console(highlight=False).print(text_table(title, rows))
