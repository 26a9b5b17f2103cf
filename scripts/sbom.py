"""The software bill of materials: `dist/sbom.cdx.json` (CycloneDX 1.5) and `dist/licences.md`, out of `uv.lock`.

    python -m scripts.sbom [cpu|gpu]

Every package that an installation with this accelerator gets, with its digests; licences by the metadata of what is
installed here; the models that are fetched later, with the digests that are pinned. The same lock gives the same bytes.
"""

import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from facesets_dagster.embedding.packs import embedded_sources
from facesets_dagster.files.writing import write_json, write_text
from facesets_dagster.reports.markdown import markdown_table

REPOSITORY = Path(__file__).resolve().parents[1]
_UNKNOWN = "unknown: not installed here"
_LONGEST = 60
"""Characters of a licence's name; longer texts are the licence itself."""


def main(arguments: list[str]) -> None:
    """The command."""
    bill = exported(arguments[0] if arguments else "cpu")
    for component in bill["components"]:
        component["licenses"] = [{"license": {"name": licence_of(component["name"])}}]
    bill["components"] += [model(name, digest, licence) for name, (_, digest, licence) in embedded_sources().items()]
    folder = REPOSITORY / "dist"
    write_json(folder / "sbom.cdx.json", steady(bill))
    write_text(folder / "licences.md", licences_page(bill["components"]))
    print(f"{folder / 'sbom.cdx.json'}: {len(bill['components'])} components\n{folder / 'licences.md'}")


def exported(accelerator: str) -> Any:
    """What uv makes of the lock."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "export", "--frozen", "--quiet", "--no-dev", "--extra", accelerator]
    more = [part for extra in ("raw", "jxl", "postgres") for part in ("--extra", extra)]
    done = subprocess.run(
        [*command, *more, "--format", "cyclonedx1.5"], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


def licence_of(package: str) -> str:
    """By its metadata: the SPDX expression, the field, the classifiers, or the first line of the text."""
    try:
        found: Distribution = distribution(package)
    except PackageNotFoundError:
        return _UNKNOWN
    fields = found.metadata
    classifiers = [one.rpartition(" :: ")[2] for one in fields.get_all("Classifier") or [] if one.startswith("License")]
    named = fields.get("License-Expression") or (fields.get("License") or "").strip()
    if named and len(named) <= _LONGEST and "\n" not in named and named.strip("= "):
        return named
    if classifiers:
        return ", ".join(classifiers)
    texts = [(found.read_text(f"licenses/{name}") or "") for name in ("LICENSE", "LICENSE.txt", "LICENSE.md")]
    lines = [line.strip("=-# ") for text in (named, *texts) for line in text.splitlines()]
    return next((line[:_LONGEST] for line in lines if line), "none stated")


def model(name: str, digest: str, licence: str) -> dict[str, object]:
    """A model of the embedded pack, as it lies in its wheel."""
    hashes = [{"alg": "SHA-256", "content": digest}]
    licences = [{"license": {"name": licence}}]
    return {"type": "machine-learning-model", "bom-ref": name, "name": name, "hashes": hashes, "licenses": licences}


def steady(bill: Mapping[str, Any]) -> dict[str, Any]:
    """Without the time and the chance in it: the same lock gives the same file."""
    metadata = {key: value for key, value in bill["metadata"].items() if key != "timestamp"}
    without = {**bill, "metadata": metadata, "serialNumber": ""}
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(without, sort_keys=True))
    return {**without, "serialNumber": f"urn:uuid:{number}"}


def licences_page(components: list[dict[str, Any]]) -> str:
    """A table of all."""
    rows = [(one["name"], one.get("version", ""), one["licenses"][0]["license"]["name"]) for one in components]
    return f"# Licences\n\n{markdown_table(('package', 'version', 'licence'), sorted(rows))}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
