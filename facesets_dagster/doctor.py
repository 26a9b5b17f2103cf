"""Problems of the environment and their remedies. Opens sessions of the models; changes nothing."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from facesets_dagster.dagster_yaml import require_storage, storage_url
from facesets_dagster.databases import INSTALL, look_at, with_driver
from facesets_dagster.embedding.packs import find_pack
from facesets_dagster.errors import FacesetsError, SettingsError
from facesets_dagster.files.parsing import parse_yaml
from facesets_dagster.home import has_home, recorded_pack, require_library
from facesets_dagster.library.consent import consent_file, read_policy
from facesets_dagster.library.pair import shown_registry
from facesets_dagster.photos.formats import OPTIONAL_DECODERS, OptionalDecoder
from facesets_dagster.photos.left_out import WRITTEN
from facesets_dagster.photos.links import LEADS_OUT
from facesets_dagster.photos.listing import list_bucket
from facesets_dagster.photos.roots import find_buckets, look_at_root
from facesets_dagster.photos.single_folders import single_folders
from facesets_dagster.publishing.recovery.recovery import whats_wrong
from facesets_dagster.registry.registry import registry_at
from facesets_dagster.settings import Settings, provider_names
from facesets_dagster.wording import counted

_OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
_PACKAGES = ("dagster", "insightface", "numpy", "polars", "scikit-learn", "pillow", "pillow-heif", "psd-tools")
_LOW_DISK_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Finding:
    """Result of one check."""

    name: str
    status: str
    """`ok`, `warning` or `problem`."""
    found: str
    advice: str = ""


def run_doctor(settings: Settings) -> list[Finding]:
    """Results of all checks; a check that fails is a finding too."""
    looks: tuple[Callable[[Settings], Finding], ...] = (
        _python,
        _packages,
        _onnxruntime,
        _opencv,
        _dagster,
        _gpu,
        _pack,
        _providers,
        _home,
        _buckets,
        _loose_photos,
        _ignore,
        _links,
        _formats,
        _hand_sorted,
        _legacy,
        _registry,
        _dagster_storage,
        _library,
        _consent,
        _names,
        _telemetry,
    )
    return [_looked(look, settings) for look in looks]


def _looked(look: Callable[[Settings], Finding], settings: Settings) -> Finding:
    name = look.__name__.removeprefix("_")
    try:
        return look(settings)
    except FacesetsError as error:
        return Finding(name, "problem", "cannot be used", str(error))


def installed(distribution: str) -> str | None:
    """Version of an installed distribution, None if it is absent."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _python(_: Settings) -> Finding:
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    advice = "" if good else "Install Python 3.11 to 3.13 and set up again."
    return Finding("python", "ok" if good else "problem", platform.python_version(), advice)


def _packages(_: Settings) -> Finding:
    found = {name: installed(name) for name in _PACKAGES}
    missing = [name for name, number in found.items() if number is None]
    text = ", ".join(f"{name} {number}" for name, number in found.items())
    return Finding("packages", "problem" if missing else "ok", text, "Run `make setup`." if missing else "")


def _onnxruntime(_: Settings) -> Finding:
    found = {name: installed(name) for name in ("onnxruntime", "onnxruntime-gpu")}
    here = [f"{name} {number}" for name, number in found.items() if number]
    if len(here) != 1:
        advice = (
            "Exactly one must be installed: they share files. Delete .venv and run `make setup ACCEL=cpu` or `=gpu`."
        )
        return Finding("onnxruntime", "problem", " and ".join(here) or "none", advice)
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if found["onnxruntime-gpu"] and "CUDAExecutionProvider" not in available:
        advice = "Its files were overwritten by the plain onnxruntime. Delete .venv and run `make setup ACCEL=gpu`."
        return Finding("onnxruntime", "problem", f"{here[0]} without CUDA", advice)
    return Finding("onnxruntime", "ok", f"{here[0]}: {', '.join(available)}")


def _opencv(_: Settings) -> Finding:
    here = [f"{name} {number}" for name in _OPENCV if (number := installed(name))]
    good = len(here) == 1
    advice = "" if good else "Exactly one must be installed. Delete .venv and run `make setup`."
    return Finding("opencv", "ok" if good else "problem", " and ".join(here) or "none", advice)


def _dagster(_: Settings) -> Finding:
    core, web = installed("dagster"), installed("dagster-webserver")
    good = core == web
    advice = "" if good else "They must be the same release. Run `make setup`."
    return Finding("dagster", "ok" if good else "problem", f"dagster {core}, dagster-webserver {web}", advice)


def _gpu(_: Settings) -> Finding:
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding("gpu", "ok", "no NVIDIA driver; the CPU is used")
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        return Finding("gpu", "problem", done.stderr.strip() or done.stdout.strip(), "Fix the NVIDIA driver.")
    if installed("onnxruntime-gpu") is None:
        advice = "Use it with `make setup ACCEL=gpu`; FACESETS_PROVIDERS=cpu says that the CPU is meant."
        return Finding("gpu", "warning", done.stdout.strip(), advice)
    return Finding("gpu", "ok", done.stdout.strip())


def _pack(settings: Settings) -> Finding:
    files = find_pack(recorded_pack(settings), settings.models_root)
    return Finding("pack", "ok", f"{files.name} in {files.folder}: {files.detector.name}, {files.recogniser.name}")


def _providers(settings: Settings) -> Finding:
    """Opens real sessions: only a session knows its provider."""
    import onnxruntime

    from facesets_dagster.onnx_sessions import open_session

    wanted = provider_names(settings.providers, onnxruntime.get_available_providers())
    files = find_pack(recorded_pack(settings), settings.models_root)
    got = {
        path.name: open_session(path, providers=wanted, threads=1).get_providers()[0]
        for path in (files.detector, files.recogniser)
    }
    meant = f" (FACESETS_PROVIDERS={settings.providers})" if settings.providers else ""
    return Finding("providers", "ok", ", ".join(f"{name}: {provider}" for name, provider in got.items()) + meant)


def _home(settings: Settings) -> Finding:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    if not os.access(folder, os.W_OK):
        return Finding("home", "problem", f"{folder} cannot be written", "Set FACESETS_HOME to a folder of yours.")
    free = shutil.disk_usage(folder).free
    if not has_home(settings):
        return Finding("home", "warning", f"none at {settings.home} yet", "Set FACESETS_HOME, or run `facesets init`.")
    low = free < _LOW_DISK_BYTES
    advice = "Make room, or move FACESETS_HOME to a larger disk." if low else ""
    return Finding("home", "warning" if low else "ok", f"{settings.home}, {free / 1e9:.1f} GB free", advice)


def _buckets(settings: Settings) -> Finding:
    unreadable = [str(root) for root in settings.bucket_roots if not (root.is_dir() and os.access(root, os.R_OK))]
    if unreadable:
        advice = "Run `facesets init` for the default root; else mount the disk or fix FACESETS_BUCKETS."
        return Finding("buckets", "problem", f"not readable: {', '.join(unreadable)}", advice)
    roots = [look_at_root(root, settings.own_folders) for root in settings.bucket_roots]
    count = counted(sum(len(root.buckets) for root in roots), "bucket")
    found = f"{count} in {', '.join(map(str, settings.bucket_roots))}"
    out = [f"{root.root / name} ({why})" for root in roots for name, why in root.left_out]
    single = single_folders(settings.folder_list).values()
    if single:
        found += f"; buckets where they lie: {', '.join(map(str, single))}"
    if out:
        found += f"; no buckets: {', '.join(out)}"
    written = [root.root for root in roots if any(why in WRITTEN for _, why in root.left_out)]
    if written:
        advice = "A home lies beside buckets. It is never read as photos; a home of its own, elsewhere, is clearer."
        return Finding("buckets", "warning", found, advice)
    return Finding("buckets", "ok", found)


def _loose_photos(settings: Settings) -> Finding:
    taken = single_folders(settings.folder_list).values()
    readable = [root for root in settings.bucket_roots if root.is_dir() and root.resolve() not in taken]
    roots = [look_at_root(root, settings.own_folders) for root in readable]
    loose = sum(len(root.loose_photos) for root in roots)
    if loose:
        found = f"{counted(loose, 'photo')} in no bucket"
        return Finding("loose_photos", "warning", found, " ".join(root.advice for root in roots if root.advice))
    return Finding("loose_photos", "ok", "every photo in the buckets roots lies in a bucket")


def _ignore(settings: Settings) -> Finding:
    if not settings.ignore:
        return Finding("ignore", "ok", "FACESETS_IGNORE is not set")
    matched = dict.fromkeys(settings.ignore, 0)
    roots = [root for root in settings.bucket_roots if root.is_dir()]
    for folder in find_buckets(roots, settings.own_folders).values():
        for glob, count in list_bucket(
            folder, settings.ignore, settings.own_folders, settings.linked_roots
        ).ignored_by.items():
            matched[glob] += count
    found = ", ".join(f"`{glob}` {count}" for glob, count in matched.items())
    unused = [f"`{glob}`" for glob, count in matched.items() if not count]
    advice = f"In FACESETS_IGNORE, {', '.join(unused)} matches no file and no folder of any bucket." if unused else ""
    return Finding("ignore", "warning" if unused else "ok", f"files and folders passed over by {found}", advice)


def _links(settings: Settings) -> Finding:
    roots = [root for root in settings.bucket_roots if root.is_dir()]
    out = [
        str(folder / file.path)
        for folder in find_buckets(roots, settings.own_folders).values()
        for file in list_bucket(folder, settings.ignore, settings.own_folders, settings.linked_roots).foreign
        if file.reason == LEADS_OUT
    ]
    if not out:
        return Finding("links", "ok", "no link in a bucket leads out of the folders that are read")
    found = f"{counted(len(out), 'link leads', 'links lead')} out of the folders that are read, e.g. {out[0]}"
    advice = "They are not followed. FACESETS_LINKS_TO names folders to which links may lead, separated by `:`."
    return Finding("links", "warning", found, advice)


def _formats(_: Settings) -> Finding:
    read = [decoder.what for decoder in OPTIONAL_DECODERS if decoder.installed]
    missing = [decoder for decoder in OPTIONAL_DECODERS if not decoder.installed]
    found = "; ".join(filter(None, (f"read: {', '.join(read)}" if read else "", _passed_over(missing))))
    return Finding("formats", "warning" if missing else "ok", found, " ".join(decoder.advice for decoder in missing))


def _passed_over(missing: list[OptionalDecoder]) -> str:
    return f"passed over: {', '.join(decoder.what for decoder in missing)}" if missing else ""


def _hand_sorted(settings: Settings) -> Finding:
    root = settings.hand_sorted_root
    if root is None:
        return Finding("hand_sorted", "ok", "FACESETS_HAND_SORTED is not set")
    wrong = _unreadable(root) or next((why for path in _folders_in(root) if (why := _unreadable(path))), "")
    if wrong:
        return Finding("hand_sorted", "problem", wrong, "Mount the disk, or fix FACESETS_HAND_SORTED.")
    return Finding("hand_sorted", "ok", f"{root}, {counted(len(_folders_in(root)), 'folder')}")


def _legacy(settings: Settings) -> Finding:
    if not settings.legacy_roots:
        return Finding("legacy", "ok", "FACESETS_LEGACY is not set")
    wrong = [why for root in settings.legacy_roots if (why := _unreadable(root))]
    if wrong:
        return Finding("legacy", "problem", "; ".join(wrong), "Mount the disk, or fix FACESETS_LEGACY.")
    return Finding("legacy", "ok", ", ".join(map(str, settings.legacy_roots)))


def _unreadable(folder: Path) -> str:
    """The problem of a folder that is only read; empty if it has none."""
    if not folder.exists():
        return f"{folder} does not exist"
    if not folder.is_dir():
        return f"{folder} is not a folder"
    return "" if os.access(folder, os.R_OK | os.X_OK) else f"{folder} cannot be read"


def _folders_in(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _registry(settings: Settings) -> Finding:
    """Connects to the registry's database."""
    facts = look_at(with_driver(settings.database_url), named_by="FACESETS_DATABASE_URL")
    return Finding("registry", "ok", facts.text)


def _dagster_storage(settings: Settings) -> Finding:
    """Connects to the database with Dagster's runs and events."""
    name = "dagster_storage"
    require_storage(settings)
    url = storage_url(settings)
    if url is None:
        on_server = settings.server_url is not None and not settings.server_url.startswith("sqlite")
        advice = "For runs on several machines set FACESETS_DAGSTER_DATABASE_URL before the home is made."
        return Finding(name, "ok", f"as {settings.dagster_home / 'dagster.yaml'} says", advice if on_server else "")
    pinned = next((line for line in requires("dagster-postgres") or [] if line.startswith("dagster==")), "")
    if pinned and pinned != f"dagster=={installed('dagster')}":
        found = f"dagster-postgres {installed('dagster-postgres')} belongs to {pinned}, not {installed('dagster')}"
        return Finding(name, "problem", found, f"They must be the same release: {INSTALL}.")
    return Finding(name, "ok", look_at(url, named_by="dagster.yaml").text)


def _consent(settings: Settings) -> Finding:
    """The policy can be read; what it withholds is for `facesets consent`."""
    path = consent_file(settings.library_dir)
    try:
        policy = read_policy(path)
    except SettingsError as error:
        return Finding("consent", "problem", str(error), "`facesets consent` checks it; docs/consent.md has its form.")
    if policy is None:
        return Finding("consent", "ok", f"no {path.name} in the home: everything may be exported")
    return Finding("consent", "ok", f"export: {policy.export}, {counted(len(policy.rules), 'rule')} of never")


def _library(settings: Settings) -> Finding:
    """Library and registry belong together."""
    require_library(settings)
    registry = registry_at(settings.database_url)
    found = whats_wrong(settings.library_dir, registry) if has_home(settings) else ""
    if found:
        return Finding("library", "problem", "library and registry do not fit", found)
    return Finding("library", "ok", f"{settings.library_dir}, registry {shown_registry(registry)}")


def _names(settings: Settings) -> Finding:
    if settings.unknown:
        advice = "Fix or unset them, in the environment or in .env."
        return Finding("names", "warning", " ".join(settings.unknown), advice)
    return Finding("names", "ok", "every FACESETS_* name that is set is a setting")


def _telemetry(settings: Settings) -> Finding:
    path: Path = settings.dagster_home / "dagster.yaml"
    if not path.exists():
        return Finding("telemetry", "warning", "no dagster.yaml yet", "Run `facesets init`.")

    config = parse_yaml(path.read_text(encoding="utf-8")) or {}
    off = config.get("telemetry", {}).get("enabled") is False
    advice = "" if off else f"Set `telemetry: {{enabled: false}}` in {path}."
    return Finding("telemetry", "ok" if off else "warning", "off" if off else "on", advice)
