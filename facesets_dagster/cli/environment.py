"""`facesets doctor` and `facesets models`: the environment in tables or JSON."""

from dataclasses import asdict

from rich.text import Text

from facesets_dagster.cli.program import console
from facesets_dagster.cli.tables import print_json, print_lines, text_table
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
        out = console()
        out.print(text_table("facesets doctor", rows))
        for found in findings:
            if found.advice:
                out.print(f"{found.name}: {found.advice}", style=_STYLE[found.status], markup=False, soft_wrap=True)
    return 1 if any(finding.status == "problem" for finding in findings) else 0


def print_packs(settings: Settings, *, as_json: bool) -> None:
    """Packs and where they are."""
    packs = list_packs(settings.models_root)
    if as_json:
        print_json([asdict(pack) for pack in packs])
        return
    rows = [
        {"name": pack.name, "present": pack.present, "extras": ", ".join(pack.extras), "licence": pack.licence}
        for pack in packs
    ]
    out = console()
    out.print(text_table("Model packs", rows))
    print_lines(out, "Where they are", [{"name": pack.name, "folder": pack.folder} for pack in packs if pack.present])


def print_pack_verification(settings: Settings, *, as_json: bool) -> int:
    """Digests of the packs that are present; 1 if one is wrong."""
    rows = [
        {"pack": row.name, **asdict(check)}
        for row in list_packs(settings.models_root)
        if row.present
        for check in verify_pack(row.name, settings.models_root)
    ]
    if as_json:
        print_json(rows)
    else:
        print_lines(console(), "Digests", rows)
    return 1 if any(row.get("ok") is False for row in rows) else 0
