"""The review page read over HTTP, through the guard: pages without scripts, columns, pictures in one answer."""

import gzip
import io
import json
from collections.abc import Iterator

import pytest
from PIL import Image

from facesets_dagster.web.review.headers import POLICY
from testing.fake_home import FakeHome, fake_home_in
from testing.http import HttpAnswer, ask_http
from testing.rulings import decide, faces_of, obey, three_people
from testing.served_files import served_review

HOSTILE = "</script><img src=x onerror=alert(1)> \u202eannA"
PAGES = ("/review", "/review/", "/review/people", "/review/log", "/review/ignored", "/review/help")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    """Three people: one with a name, one ignored, one with a ruling that waits."""
    with fake_home_in(tmp_path_factory.mktemp("review")) as home:
        three_people(home)
        decide(home, lambda rulings: rulings.name("faceset_001", HOSTILE))
        decide(home, lambda rulings: rulings.ignore("faceset_003"))
        obey(home)
        decide(home, lambda rulings: rulings.not_person({faces_of(home, "faceset_002")[0]: None}, "faceset_002"))
        yield home


@pytest.fixture(scope="module")
def address(home: FakeHome) -> Iterator[str]:
    with served_review(home.settings) as address:
        yield address


def unpacked(answer: HttpAnswer) -> tuple[dict[str, bytes], list[str]]:
    """Pictures by name, and names to ask for again."""
    length = int.from_bytes(answer.body[:4])
    head, place, found = json.loads(answer.body[4 : 4 + length]), 4 + length, {}
    for name, size in head["pictures"]:
        found[name] = answer.body[place : place + size]
        place += size
    assert place == len(answer.body)
    return found, head["later"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_without_scripts_and_lets_nothing_foreign_in(address: str, path: str) -> None:
    answer = ask_http(address, path)
    if path == "/review":
        assert (answer.status, answer.headers["location"]) == (307, f"{address}/review/")
        return
    assert answer.status == 200, answer.text
    assert answer.headers.get_all("content-security-policy") == [POLICY, "frame-ancestors 'none'"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "1 ruling is not published." in answer.text
    assert HOSTILE not in answer.text
    assert "onclick" not in answer.text
    assert "style=" not in answer.text


def test_the_policy_allows_own_files_and_no_others() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["form-action"] == "'self'", "the search without scripts"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert rules["trusted-types"] == "lit-html"


def test_people_are_columns_that_are_sent_once(address: str, home: FakeHome) -> None:
    answer = ask_http(address, "/review/api/people")
    people = answer.json
    assert people["name"] == ["faceset_001", "faceset_002"]
    assert people["label"] == [HOSTILE, ""]
    assert people["faces"] == [5, 3], "as the rulings in force have it, published or not"
    assert people["waits"] == [0, 1]
    assert people["waiting"] == 1
    assert [people["buckets"][place] for place in people["bucket"]] == ["a", "a"]
    again = ask_http(address, "/review/api/people", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    packed = ask_http(address, "/review/api/people", headers={"Accept-Encoding": "gzip"})
    assert json.loads(gzip.decompress(packed.body)) == people


def test_faces_of_a_person_come_in_any_order(address: str) -> None:
    by_rank = ask_http(address, "/review/api/people/faceset_001/faces").json
    assert by_rank["rank"] == [1, 2, 3, 4, 5]
    assert by_rank["states"] == ["exported"] * 5
    assert by_rank["bucket"] == ["a"] * 5
    assert all(path.endswith(".png") for path in by_rank["path"])
    doubtful = ask_http(address, "/review/api/people/faceset_001/faces?by=doubt").json
    assert doubtful["doubt"] == sorted(doubtful["doubt"], reverse=True)
    assert sorted(doubtful["face_id"]) == sorted(by_rank["face_id"])
    assert ask_http(address, "/review/api/people/faceset_001/faces?by=nonsense").json["by"] == "rank"
    missing = ask_http(address, "/review/api/people/faceset_777/faces")
    assert (missing.status, missing.json["error"]) == (404, "LibraryError")
    assert "faceset_777 is not in use" in missing.json["message"]


def test_a_screen_of_pictures_is_one_answer(address: str, home: FakeHome) -> None:
    faces = faces_of(home, "faceset_001")
    wanted, found = ["@faceset_001", *faces, "0000000000000000-0000-0000", "../../etc/passwd"], dict[str, bytes]()
    for _ in range(20):
        pictures, later = unpacked(ask_http(address, f"/review/api/thumbs?ids={','.join(wanted)}"))
        found.update(pictures)
        if not later:
            break
    assert sorted(found) == ["@faceset_001", *faces] or sorted(found) == sorted(["@faceset_001", *faces])
    for webp in found.values():
        with Image.open(io.BytesIO(webp)) as picture:
            assert (picture.format, max(picture.size)) == ("WEBP", 128)
    assert (home.settings.cache_dir / "thumbnails.db").is_file()
    best = ask_http(address, "/review/api/people/faceset_001/faces").json["face_id"][0]
    assert found["@faceset_001"] == found[best]


def test_single_pictures_and_photos_are_for_faces_of_the_registry_alone(address: str, home: FakeHome) -> None:
    face = faces_of(home, "faceset_002")[-1]
    small = ask_http(address, f"/review/api/thumb/{face}.webp?px=256")
    with Image.open(io.BytesIO(small.body)) as picture:
        assert picture.format == "WEBP"
    photo = ask_http(address, f"/review/api/photo/{face}.webp")
    with Image.open(io.BytesIO(photo.body)) as picture:
        assert picture.size == (640, 480)
    for path in ("/review/api/thumb/nobody.webp", "/review/api/photo/nobody.webp", "/review/api/thumb/%2e%2e.webp"):
        assert ask_http(address, path).headers["content-type"] == "image/svg+xml"


def test_the_pages_say_who_is_who_and_what_was_ruled(address: str) -> None:
    person = ask_http(address, "/review/people/faceset_002").text
    assert "1 face does not belong to faceset_002" in person
    assert "changed by rulings that are not published" in person
    ignored = ask_http(address, "/review/ignored").text
    assert "faceset_003 is ignored" in ignored
    assert ignored.count('class="face"') >= 3, "exemplars, and the faces that it took"
    log = ask_http(address, "/review/log").text
    assert log.index("does not belong to faceset_002") < log.index("faceset_003 is ignored"), "the newest first"
    assert "in force, not published" in log
    nobody = ask_http(address, "/review/people/faceset_777")
    assert (nobody.status, "faceset_777 is not in use" in nobody.text) == (404, True)


def test_only_the_server_itself_is_answered(address: str) -> None:
    for headers in (
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ):
        answer = ask_http(address, "/review/api/people", headers=headers)
        assert answer.status == 403
        assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"


def test_an_old_name_leads_to_the_person_and_off_is_off(home: FakeHome, address: str) -> None:
    off = home.settings.model_copy(update={"review": "off"})
    with served_review(off) as elsewhere:
        answer = ask_http(elsewhere, "/review/people")
        assert (answer.status, "FACESETS_REVIEW is off" in answer.text) == (404, True)
        assert ask_http(elsewhere, "/").text == "the UI"
    assert ask_http(address, "/reviewers").text == "the UI"


def test_pages_come_in_the_language_of_the_browser(address: str) -> None:
    assert '<html lang="en">' in ask_http(address, "/review/help", headers={"Accept-Language": "fr, en;q=0.5"}).text
    chosen = ask_http(address, "/review/help?lang=en")
    assert chosen.headers["set-cookie"].startswith("facesets_language=en;")
