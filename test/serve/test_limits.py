"""Requests beyond the limits are refused with a sentence, and cost little."""

import io
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from fastreid.serve import Limits
from fastreid.serve.guards.rates import RateCounter, client_of
from fastreid.serve.models import ServedModel
from fastreid.serve.uploads import UploadError, read_picture, short_name

from .serving import encoded, names, search, served


def detail(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["detail"]


def png_of_size(width, height):
    """A PNG file of a size in its head, and hardly any data."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize("size", [(5001, 5000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_by_its_head(client, size):
    message = detail(search(client, ("bomb.png", png_of_size(*size))), 400)
    assert message.startswith("bomb.png has more pixels than the 25 million that are allowed.")


def test_a_real_bomb_is_not_decoded(client, monkeypatch):
    content = io.BytesIO()
    Image.new("L", (6000, 6000)).save(content, "GIF")
    decoded = []
    monkeypatch.setattr(Image.Image, "load", lambda image: decoded.append(image.size))
    assert "more pixels" in detail(search(client, ("bomb.gif", content.getvalue())), 400)
    # Pillow makes small images of its own when it loads its formats.
    assert (6000, 6000) not in decoded


def tiff_that_is_also_im(width, height):
    """A TIFF file of 1 x 1 pixel, whose head Pillow's reader of IM files takes for its own."""
    place = 2000
    head = b"II*\0" + struct.pack("<I", place)
    head += b":x\r\nImage size (x*y): %d*%d\r\nImage type: L image\r\n\x1a" % (width, height)
    # Width, height, bits, compression, meaning of 0, place and size of the data, rows in it.
    tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: place - 1, 278: 1, 279: 1}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return head.ljust(place, b"\0") + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)


def test_a_file_of_two_formats_is_only_read_as_the_one_that_was_checked():
    content = tiff_that_is_also_im(9000, 9000)
    with Image.open(io.BytesIO(content), formats=["IM"]) as other:
        assert other.size == (9000, 9000)
    with io.BytesIO(content) as file:
        assert read_picture("two.tiff", file, max_pixels=100).size == (1, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        encoded((40, 80), "JPEG")[:200],
        encoded((40, 80))[:60],
    ],
    ids=["empty", "text", "svg", "eps", "jpeg", "png"],
)
def test_what_is_no_picture_is_refused_by_name(client, content):
    assert detail(search(client, ("my photo.jpg", content)), 400).startswith("my photo.jpg is ")


def test_one_unreadable_picture_of_several_refuses_the_search(place, client):
    answer = search(client, place.photo(0), ("b.png", b"x"), place.photo(1))
    assert detail(answer, 400).startswith("b.png is not a picture")


# Pillow warns of damaged metadata, which do not matter.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_damaged_files_never_end_otherwise_than_in_a_refusal(kind):
    rng = np.random.default_rng(0)
    content = np.frombuffer(encoded((24, 32), kind), np.uint8)
    outcomes = set()
    for _ in range(150):
        damaged = content[: rng.integers(1, len(content) + 1)].copy()
        places = rng.integers(0, len(damaged), 3)
        damaged[places] = rng.integers(0, 256, 3)
        try:
            read_picture("x", io.BytesIO(damaged.tobytes()), max_pixels=10_000)
            outcomes.add("read")
        except UploadError:
            outcomes.add("refused")
    assert "refused" in outcomes


def test_names_in_messages_are_short_and_without_folders():
    assert short_name("C:\\photos\\a.jpg") == "a.jpg"
    assert short_name("../../etc/passwd") == "passwd"
    assert short_name("a\n\x1b[31mb.jpg") == "a[31mb.jpg"
    assert len(short_name("a" * 5000)) == 60
    assert short_name("") == "The picture"


def test_pictures_are_turned_upright(place):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    Image.new("RGB", (30, 20)).save(content, "JPEG", exif=exif)
    assert read_picture("x", content, max_pixels=1000).size == (20, 30)


def test_a_request_that_is_too_large_is_refused(place):
    with served(place, limits={"max_upload_mb": 0.1}) as client:
        message = detail(search(client, ("a.png", b"x" * 250_000)), 413)
        assert message == "The request is larger than 0.1 MB: send fewer pictures."

        def parts():
            yield from (b"x" * 50_000 for _ in range(5))

        form = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = client.post("/api/search", content=parts(), headers=form)
        assert answer.status_code in (400, 413)
        assert len(names(search(client, place.photo(0), top=1))) == 1


def test_a_body_without_a_length_is_counted(place):
    with served(place, limits={"max_upload_mb": 0.1}) as client:

        def parts():
            yield b'--b\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'
            yield from (b"x" * 50_000 for _ in range(5))
            yield b"\r\n--b--\r\n"

        form = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = client.post("/api/search", content=parts(), headers=form)
        assert "larger than 0.1 MB" in detail(answer, 413)


@pytest.mark.parametrize(
    ("limits", "options", "status", "message"),
    [
        ({"max_crops": 2}, {}, 400, "There are 3 pictures; at most 2 are allowed."),
        ({"max_results": 5}, {"top": 6}, 400, "There are 6 results; at most 5 are allowed."),
        ({}, {"top": 0}, 422, "top: Input should be greater than or equal to 1"),
        ({}, {"top": "many"}, 422, "top: Input should be a valid integer"),
        ({}, {"min_similarity": 2}, 422, "min_similarity: Input should be less than or equal"),
        ({}, {"since": "noon"}, 422, "since: Input should be a valid number"),
        ({}, {"before": "nan"}, 422, "before: Input should be a finite number"),
        ({}, {"min_similarity": "nan"}, 422, "min_similarity: Input should be a finite number"),
    ],
)
def test_wrong_numbers_are_named(place, limits, options, status, message):
    with served(place, limits=limits) as client:
        answer = search(client, *map(place.photo, range(3)), **options)
        assert detail(answer, status).startswith(message)


def test_a_search_without_pictures_is_refused(client):
    assert detail(client.post("/api/search", data={"top": 3}), 422).startswith("images: ")


def test_searches_of_a_client_are_limited_and_others_are_not_counted(place):
    with served(place, limits={"searches_per_minute": 3}) as client:
        answers = [search(client, place.photo(0)) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert detail(answers[-1], 429).startswith("Too many requests; try again in ")
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
        assert client.get("/api/gallery").status_code == 200


def test_all_requests_of_a_client_are_limited(place):
    with served(place, limits={"requests_per_minute": 5}) as client:
        answers = [client.get("/api/health").status_code for _ in range(6)]
        assert answers == [200] * 5 + [429]


def test_a_client_regains_its_requests():
    now = [0.0]
    counter = RateCounter(6, clock=lambda: now[0])
    assert [counter.wait("a") for _ in range(7)] == [0, 0, 0, 0, 0, 0, 10]
    assert counter.wait("b") == 0
    now[0] = 10.0
    assert [counter.wait("a"), counter.wait("a")] == [0, 10]
    now[0] = 1000.0
    assert [counter.wait("a") for _ in range(7)] == [0, 0, 0, 0, 0, 0, 10]


def test_addresses_of_one_network_of_ipv6_are_one_client():
    def client(address):
        return client_of({"client": (address, 1)})

    assert client("2001:db8:1:2::1") == client("2001:db8:1:2:ffff::9")
    assert client("2001:db8:1:2::1") != client("2001:db8:1:3::1")
    assert client("10.0.0.1") != client("10.0.0.2")


@pytest.fixture
def slow_model(monkeypatch):
    """The model waits until the event is set."""
    go = threading.Event()
    compute = ServedModel.__call__

    def wait(model, pictures):
        go.wait(20)
        return compute(model, pictures)

    monkeypatch.setattr(ServedModel, "__call__", wait)
    yield go
    go.set()


def test_a_search_that_takes_too_long_is_ended(place, slow_model):
    with served(place, limits={"request_seconds": 0.3}) as client:
        message = detail(search(client, place.photo(0)), 503)
        assert message == "The request took longer than 0.3 s; try again later."
        slow_model.set()
        # The abandoned search ends first.
        deadline = time.monotonic() + 10
        answer = search(client, place.photo(0), top=1)
        while answer.status_code != 200 and time.monotonic() < deadline:
            answer = search(client, place.photo(0), top=1)
        assert len(names(answer)) == 1


def test_an_upload_that_takes_too_long_is_ended(place):
    with served(place, limits={"request_seconds": 0.3}) as client:
        address = urlsplit(str(client.base_url))
        with socket.create_connection((address.hostname, address.port), timeout=10) as slow:
            head = "POST /api/search HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            slow.sendall(f"{head}Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode())
            assert b" 503 " in slow.recv(1000)


def test_searches_beyond_those_that_wait_are_refused(place, slow_model):
    limits = {"concurrent_searches": 1, "waiting_searches": 2}
    with served(place, limits=limits) as client, ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(search, client, place.photo(i)) for i in range(8)]
        deadline = time.monotonic() + 10
        while sum(answer.done() for answer in answers) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        slow_model.set()
        codes = sorted(answer.result().status_code for answer in answers)
    assert codes == [200] * 3 + [503] * 5
    refused = next(a.result() for a in answers if a.result().status_code == 503)
    assert detail(refused, 503) == "Too many searches are waiting; try again later."


def test_the_pixels_of_all_pictures_count_together_before_one_is_decoded(place, monkeypatch):
    decoded = []
    load = Image.Image.load

    def note(image):
        decoded.append(image.size)
        return load(image)

    with served(place, limits={"max_megapixels": 0.05}) as client:
        pictures = [(f"{i}.gif", encoded((100 + i, 200), "GIF")) for i in range(3)]
        monkeypatch.setattr(Image.Image, "load", note)
        message = detail(search(client, *pictures), 400)
        assert message.startswith("The 3 pictures have more pixels together than the 0.05 million")
        assert not {(100, 200), (101, 200), (102, 200)} & set(decoded)
        assert len(names(search(client, *pictures[:2], top=1))) == 1
        assert {(100, 200), (101, 200)} <= set(decoded)


@pytest.mark.parametrize("name", ["max_crops", "request_seconds"])
def test_limits_must_be_above_zero(name):
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} is 0; it must be above 0"):
        Limits(**{name: 0})
