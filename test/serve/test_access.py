"""Who may ask, and what is shown to them."""

import http.client
import io
import os

import pytest
from PIL import Image

from fastreid.gallery import Description, Entry, open_gallery
from fastreid.serve import SearchService
from fastreid.serve.guards import AccessToken
from fastreid.serve.guards.hosts import without_port

from .serving import encoded, names, search, served

TOKEN = "a very long täken"


@pytest.fixture(scope="module")
def guarded(place):
    with served(place, token=TOKEN) as client:
        yield client


@pytest.fixture
def stranger(guarded):
    """A client without cookies."""
    guarded.cookies.clear()
    return guarded


GUARDED = ("/api/gallery", "/api/openapi.json", "/api/image/0")


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    "header",
    [None, "Bearer wrong", "Bearer", "Basic x", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"],
)
def test_a_wrong_token_is_refused(stranger, path, header):
    headers = {} if header is None else {"Authorization": header.encode()}
    answer = stranger.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "This service needs its token."}


def test_a_search_without_the_token_is_refused(place, stranger):
    assert search(stranger, place.photo(0)).status_code == 401


@pytest.mark.parametrize("cookie", ["", "wrong", "a very long token", "0" * 64])
def test_a_wrong_cookie_is_refused(stranger, cookie):
    answer = stranger.get("/api/gallery", headers={"Cookie": f"fastreid_token={cookie}"})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", GUARDED[:2])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_token_in_the_header_is_enough(stranger, path, scheme):
    headers = {"Authorization": f"{scheme} {TOKEN}".encode()}
    assert stranger.get(path, headers=headers).status_code == 200


def test_the_page_exchanges_the_token_for_a_cookie(place, stranger):
    assert stranger.post("/api/session", json={"token": "wrong"}).status_code == 401
    answer = stranger.post("/api/session", json={"token": TOKEN})
    assert answer.status_code == 200
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert names(search(stranger, place.photo(3), top=1)) == ["3.png"]


def test_page_and_health_need_no_token(stranger):
    for path in ("/", "/page.css", "/page.js", "/why.js", "/api/health"):
        assert stranger.get(path).status_code == 200


def test_tokens_that_are_easily_guessed_are_refused():
    with pytest.raises(ValueError, match="The token has 7 characters; use 8 or more"):
        AccessToken("1234567")


def test_guesses_of_the_token_are_limited(place):
    with served(place, token=TOKEN, limits={"searches_per_minute": 2}) as client:
        guesses = [client.post("/api/session", json={"token": str(i)}) for i in range(3)]
        assert [guess.status_code for guess in guesses] == [401, 401, 429]


@pytest.mark.parametrize("path", ["/", "/page.js", "/api/health", "/nothing", "/api/image/0"])
def test_every_answer_has_the_security_headers(client, path):
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["Referrer-Policy"] == "no-referrer"


def test_a_fault_of_the_server_is_an_answer_without_details(place, monkeypatch):
    with served(place) as client:
        monkeypatch.setattr(SearchService, "search", lambda *_: {}["/secret/path"])
        answer = search(client, place.photo(0))
    assert answer.status_code == 500
    detail = "The request failed in the server; its log has the cause."
    assert answer.json() == {"detail": detail}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_names_no_other_address(client):
    for path in ("/", "/page.css", "/page.js", "/why.js"):
        assert "//" not in client.get(path).text.replace("://localhost", "")


def test_other_names_of_the_server_are_refused(place):
    with served(place, hosts=["127.0.0.1", "people.example"]) as client:
        assert client.get("/api/health").status_code == 200
        for host, status in (("people.example:80", 200), ("foreign.example", 400), ("", 400)):
            answer = client.get("/api/health", headers={"Host": host})
            assert answer.status_code == status, host


def test_names_of_hosts_are_read_without_port():
    assert without_port("[::1]:7860") == "[::1]"
    assert without_port("localhost:1") == "localhost"
    assert without_port("people.example") == "people.example"


def test_small_pictures_of_results_are_shown(place, client):
    (result,) = search(client, place.photo(2), top=1).json()["results"]
    answer = client.get(result["image"])
    assert answer.headers["Content-Type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as image, Image.open(place.photo(2)) as original:
        assert image.format == "JPEG"
        assert image.size == original.size


@pytest.fixture
def outside(tmp_path, place):
    """A gallery of files in and around the folder of images, of links, and of what is no image."""
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    secret = tmp_path / "secret.png"
    large = encoded((2000, 1000))
    for path in (root / "in" / "fine.png", secret, tmp_path / "root-2.png"):
        path.write_bytes(large)
    (root / "link.png").symlink_to(secret)
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "text.png").write_text("root:x:0:0", encoding="utf-8")
    os.mkfifo(root / "pipe.png")
    paths = {
        "fine": str(root / "in" / "fine.png"),
        "relative": "in/fine.png",
        "outside": str(secret),
        "dots": f"{root}/in/../../secret.png",
        "dots-relative": "../secret.png",
        "sibling": str(tmp_path / "root-2.png"),
        "link": str(root / "link.png"),
        "loop": str(root / "loop.png"),
        "text": str(root / "text.png"),
        "pipe": str(root / "pipe.png"),
        "folder": str(root / "in"),
        "missing": str(root / "gone.png"),
        "null": "in/fine.png\0",
        "passwd": "/etc/passwd",
        "long": "x" * 5000,
        "none": "",
    }
    name = str(tmp_path / "g")
    with open_gallery(name, create=Description(6)) as gallery:
        gallery.add(
            place.features[[0] * len(paths)],
            [Entry(key, path=path) for key, path in paths.items()],
        )
    with served(place, gallery=name, image_roots=[root]) as client:
        yield client


def test_only_images_of_the_gallery_inside_the_folders_are_shown(place, outside):
    results = search(outside, place.photo(0), top=100).json()["results"]
    shown = {}
    for result in results:
        if result["image"]:
            shown[result["file"]] = outside.get(result["image"]).status_code
        answer = outside.get(f"/api/image/{result['id']}")
        assert answer.status_code == (200 if result["file"] == "in/fine.png" else 404)
        assert b"root:" not in answer.content
    assert shown == {"in/fine.png": 200, "text.png": 404}
    assert "/" not in "".join(r["file"] for r in results if r["file"] != "in/fine.png")


def test_pictures_are_made_small(place, outside):
    results = search(outside, place.photo(0), top=100).json()["results"]
    (address, *_) = [r["image"] for r in results if r["file"] == "in/fine.png"]
    with Image.open(io.BytesIO(outside.get(address).content)) as image:
        assert image.size == (256, 128)


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/../app.py",
        "/page.css/../../app.py",
        "/index.html",
        "/api/image/..%2f..%2fetc%2fpasswd",
        "/api/image//etc/passwd",
        "/api/image/%2Fetc%2Fpasswd",
        "/api/image/0.png",
        "/api/image/" + "0" * 32,
    ],
)
def test_paths_lead_to_no_other_file(client, path):
    # This client sends paths as they are.
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 404
    assert b"root:" not in answer.read()
    connection.close()


def test_a_removed_entry_is_not_shown_any_more(place, tmp_path):
    name = str(tmp_path / "g")
    path = str(place.photo(0))
    with open_gallery(name, create=Description(6)) as gallery:
        gallery.add(place.features[:1], [Entry("a", path=path)])
        with served(place, gallery=name) as client:
            (result,) = search(client, place.photo(0)).json()["results"]
            assert client.get(result["image"]).status_code == 200
            gallery.remove(["a"])
            assert client.get(result["image"]).status_code == 404


def test_without_folders_no_picture_is_shown(place):
    with served(place, image_roots=[]) as client:
        results = search(client, place.photo(0)).json()["results"]
        assert {result["image"] for result in results} == {None}
        assert results[0]["file"] == "0.png"
        assert client.get(f"/api/image/{results[0]['id']}").status_code == 404
