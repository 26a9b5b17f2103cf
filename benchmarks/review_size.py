"""The review page of 10,000 people with 200,000 small pictures beside that of 100, and beside the same cards as HTML.

    python -m benchmarks.run review_size

Made-up people; the server runs in this process, the browser is the system's Chromium.
"""

import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from html import escape
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from PIL import Image
from playwright.sync_api import Browser, Request, Route, sync_playwright

from benchmarks.made_up_faces import write_cache
from facesets_dagster.faces.store import CacheTables
from facesets_dagster.faces.thumbnails import THUMBNAIL_PX, ThumbnailStore
from facesets_dagster.library.home import Home
from facesets_dagster.registry.ruling_rows import new_id
from testing.browser import browser_path
from testing.fake_home import FakeHome, fake_home_in
from testing.http import ask_http
from testing.made_up_registry import PACK_512, fill
from testing.measurements.row import Row
from testing.served_files import served_review

FEW, MANY, EACH = 100, 10_000, 20
RULED = 20
"""People, of as many buckets, on whom rulings are made."""
SCREEN = 120
TURNS = 5
_PICTURES = 64
"""Different ones, which the faces share."""
_FLING = """async () => {
    const start = performance.now(), from = scrollY;
    let frames = 0;
    await new Promise(done => {
        const step = now => {
            frames += 1;
            scrollTo(0, from + 3 * (now - start));
            now - start < 3000 ? requestAnimationFrame(step) : done();
        };
        requestAnimationFrame(step);
    });
    return frames;
}"""
"""Three seconds at 3,000 px/s: how often the browser drew."""
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def measure_review_size() -> list[Row]:
    """Rulings, pictures, first paint, elements and frames."""
    with tempfile.TemporaryDirectory() as scratch:
        found = {count: _measured(Path(scratch) / str(count), count) for count in (FEW, MANY)}
    few, many = found[FEW], found[MANY]
    rows = [
        _row("a ruling is recorded, median", "s", few, many, "ruling", "< 0.05", many["ruling"] < 0.05),
        _row("the same, 95 of 100", "s", few, many, "ruling_95", "< 0.05", many["ruling_95"] < 0.05),
        _row("processor time of a ruling, its sender's included", "s", few, many, "work"),
        _row("people as columns after a ruling", "s", few, many, "columns"),
        _row("first answer of a server", "s", few, many, "first"),
        Row(f"{SCREEN} pictures in one answer", round(many["batch"], 4), "s", "a request each",
            round(many["single"], 4), round(many["batch"] / many["single"], 3), "<= 0.2",
            many["batch"] * 5 <= many["single"]),
    ]  # fmt: skip
    if "paint" not in many:
        return [*rows, Row("first paint, elements, frames", None, "", note="there is no Chromium here")]
    paint = many["paint"] / few["paint"]
    return [
        *rows,
        _row("first paint", "s", few, many, "paint", "<= 1.5 times", paint <= 1.5),
        _row("answers with pictures for the first screen", "", few, many, "answers"),
        _row("elements after a fling", "", few, many, "elements", "< 5000", many["elements"] < 5_000),
        Row("frames in a fling of 3 s", many["frames"], "", "the same cards as HTML", many["plain"],
            round(many["frames"] / max(many["plain"], 1), 2), ">= 5 times", many["frames"] >= 5 * many["plain"],
            f"{few['frames']:g} with {FEW} people; {many['plain_elements']:g} elements as HTML"),
    ]  # fmt: skip


def _row(
    name: str, unit: str, few: dict[str, float], many: dict[str, float], what: str, target: str = "",
    met: bool | None = None,
) -> Row:  # fmt: skip
    value, peer = round(many[what], 4), round(few[what], 4)
    return Row(name, value, unit, f"{FEW} people", peer, round(value / peer, 2) if peer else None, target, met)


def _measured(folder: Path, count: int) -> dict[str, float]:
    with _home(folder, count) as home, served_review(home.settings) as address:
        started = time.perf_counter()
        names = ask_http(address, "/review/api/people").json["name"]
        found = {"first": time.perf_counter() - started}
        found |= _pictures(address, [f"@{name}" for name in names[: min(SCREEN, FEW)]])
        if browser_path() is not None:
            with sync_playwright() as playwright, _browser(playwright) as browser:
                found |= _drawn(browser, address, names)
        return found | _rulings(address, names[:RULED])


@contextmanager
def _home(folder: Path, count: int) -> Iterator[FakeHome]:
    """So many people of `EACH` faces; those on whom rulings are made have cached faces."""
    folder.mkdir()
    with fake_home_in(folder) as home:
        fill(home.library, count, EACH * count)
        rows = home.library.registry.memberships()
        store, rng = ThumbnailStore(home.settings.cache_dir), np.random.default_rng(1)
        pictures = [_picture(rng) for _ in range(_PICTURES)]
        store.keep({face: pictures[place % _PICTURES] for place, face in enumerate(rows["face_id"])}, THUMBNAIL_PX)
        plain = Home.of(home.settings)
        for bucket in sorted(rows["bucket"].unique())[:RULED]:
            ids = rows.filter(pl.col("bucket") == bucket)["face_id"].sort()
            faces = plain.face_store(bucket, PACK_512.model_id, PACK_512.dim)
            write_cache(faces, rng.normal(size=(len(ids), PACK_512.dim)).astype(np.float32), bucket, PACK_512, seed=1)
            tables = faces.read()
            faces.compact(CacheTables(tables.faces.with_columns(face_id=ids), tables.contents, tables.files))
        yield home


def _picture(rng: np.random.Generator) -> bytes:
    """A WebP as large as one of a face, 2 to 3 kB."""
    small = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(small).resize((THUMBNAIL_PX, THUMBNAIL_PX)).save(stream, "WEBP", quality=75, method=0)
    return stream.getvalue()


def _pictures(address: str, names: list[str]) -> dict[str, float]:
    one = _seconds(lambda: ask_http(address, f"/review/api/thumbs?px={THUMBNAIL_PX}&ids={','.join(names)}"))
    each = _seconds(lambda: [ask_http(address, f"/review/api/thumb/{name}.webp") for name in names])
    return {"batch": one, "single": each}


def _seconds(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(TURNS):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return median(taken)


def _rulings(address: str, names: list[str]) -> dict[str, float]:
    """Names, pairs that are two people, merges and ignores, one after the other, with the page's look after each."""
    statements: list[dict[str, str]] = [
        *({"kind": "name", "person": name, "text": f"Person {name}"} for name in names),
        *({"kind": "different", "person": one, "other": other} for one, other in pairwise(names)),
        *({"kind": "ignore", "person": name} for name in names[: len(names) // 2]),
    ]
    own = {"Content-Type": "application/json", "X-Facesets-Review": "1", "Origin": address}
    recorded, worked, columns = [], [], []
    for statement in statements:
        body = json.dumps({"rulings": [{"ruling_id": new_id(), **statement}], "seen": {}}).encode()
        started, work = time.perf_counter(), time.process_time()
        answer = ask_http(address, "/review/api/rulings", method="POST", headers=own, body=body)
        recorded.append(time.perf_counter() - started)
        worked.append(time.process_time() - work)
        assert answer.status == 201, answer.text
        started = time.perf_counter()
        ask_http(address, "/review/api/people", headers={"Accept-Encoding": "gzip"})
        columns.append(time.perf_counter() - started)
    return {
        "ruling": median(recorded), "ruling_95": float(np.quantile(recorded, 0.95)), "columns": median(columns),
        "work": median(worked),
    }  # fmt: skip


@contextmanager
def _browser(playwright: Any) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=browser_path())
    yield browser
    browser.close()


def _drawn(browser: Browser, address: str, names: list[str]) -> dict[str, float]:
    paints, found = [], dict[str, float]()
    for _ in range(TURNS):
        page, asked = browser.new_page(viewport={"width": 1440, "height": 900}), list[str]()
        page.on("request", partial(_note, asked))
        page.goto(f"{address}/review/people")
        page.locator(".tile").first.wait_for()
        page.wait_for_load_state("networkidle")
        paints.append(page.evaluate(_PAINT) / 1000)
        found["answers"] = sum("/api/thumbs" in url for url in asked)
        found["frames"] = page.evaluate(_FLING)
        found["elements"] = page.evaluate("document.querySelectorAll('*').length")
        page.close()
    return {**found, "paint": median(paints), **_as_html(browser, address, names)}


def _note(asked: list[str], request: Request) -> None:
    asked.append(request.url)


def _as_html(browser: Browser, address: str, names: list[str]) -> dict[str, float]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.route("**/review/plain", lambda route: _fulfil(route, names))
    page.goto(f"{address}/review/plain", wait_until="domcontentloaded")
    found = {"plain": page.evaluate(_FLING), "plain_elements": page.evaluate("document.querySelectorAll('*').length")}
    page.close()
    return found


def _fulfil(route: Route, names: list[str]) -> None:
    """Every person as a card, as a server without scripts would send them, with what browsers do to spare work."""
    cards = "".join(
        f"<a class='tile' href='/review/people/{escape(name)}'><img loading='lazy' width='128' height='128' "
        f"src='/review/api/thumb/@{escape(name)}.webp'><b>{escape(name)}</b><span>{EACH} faces</span></a>"
        for name in names
    )
    style = (
        "<style>body{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:8px}"
        ".tile{content-visibility:auto;contain-intrinsic-size:150px 190px;display:block}b,span{display:block}</style>"
    )
    route.fulfill(body=f"<!doctype html><title>people</title>{style}<body>{cards}", content_type="text/html")
