"""What every gallery does, for each kind."""

import multiprocessing
import os
import signal
import sqlite3
import time

import numpy as np
import pytest

from fastreid.gallery import Description, EmbeddedGallery, Entry, Filter, GalleryError, open_gallery
from fastreid.gallery.embedded import ENTRIES, VECTORS

D = 16
FOLDERS = ("{}/g", "faiss:{}/g")
KINDS = (*FOLDERS, "{}/g.db")
RNG = np.random.default_rng


def vectors(number, seed=0):
    return RNG(seed).standard_normal((number, D)).astype(np.float32)


def people(number, start=0):
    return [
        Entry(f"{i}.jpg", pid=str(i // 3), camid=f"cam{i % 2}", time=100.0 * i, path=f"/x/{i}.jpg")
        for i in range(start, start + number)
    ]


@pytest.fixture(params=KINDS, ids=["embedded", "faiss", "milvus"])
def gallery(request, tmp_path):
    name = request.param.format(tmp_path)
    with open_gallery(name, create=Description(D, "m1")) as gallery:
        gallery.add(vectors(30), people(30), model="m1")
        yield gallery


def keys(matches):
    return [match.entry.key for match in matches]


def expected_keys(query, rows, top):
    known = vectors(30)[rows]
    similarity = known @ query / np.linalg.norm(known, axis=1)
    return [f"{rows[i]}.jpg" for i in np.argsort(-similarity, kind="stable")[:top]]


def test_the_most_similar_are_found_in_order(gallery):
    queries = vectors(4, seed=1)
    for query, matches in zip(queries, gallery.search(queries, top=7)):
        assert keys(matches) == expected_keys(query, np.arange(30), 7)
        similarities = [match.similarity for match in matches]
        assert similarities == sorted(similarities, reverse=True)
        assert all(-1.0001 <= value <= 1.0001 for value in similarities)


def test_an_image_is_most_similar_to_itself_at_any_length(gallery):
    (matches,) = gallery.search(5 * vectors(30)[[11]], top=1)
    assert matches[0].entry == people(30)[11]
    assert matches[0].similarity == pytest.approx(1)


@pytest.mark.parametrize(
    ("only", "rows"),
    [
        (Filter(pids=frozenset({"2", "9"})), [6, 7, 8, 27, 28, 29]),
        (Filter(camids=frozenset({"cam1"})), range(1, 30, 2)),
        (Filter(without_camids=frozenset({"cam1"})), range(0, 30, 2)),
        (Filter(since=500.0, before=800.0), [5, 6, 7]),
        (Filter(pids=frozenset({"2"}), camids=frozenset({"cam0"})), [6, 8]),
        (Filter(pids=frozenset()), []),
        (Filter(pids=frozenset({"nobody"})), []),
    ],
)
def test_filters_decide_what_is_considered(gallery, only, rows):
    query = vectors(1, seed=2)
    (matches,) = gallery.search(query, top=50, only=only)
    assert keys(matches) == expected_keys(query[0], np.array(list(rows), int), 50)


def test_entries_and_their_features_are_looked_up_by_name(gallery):
    gallery.remove(["5.jpg"])
    names = ["17.jpg", "2.jpg", "29.jpg"]
    assert gallery.find([*names, "5.jpg", "none"]) == {n: people(30)[int(n[:-4])] for n in names}
    expected = vectors(30)[[17, 2, 29]]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(gallery.vectors_of(names), expected, atol=1e-6)
    assert gallery.vectors_of([]).shape == (0, D)
    assert gallery.find([]) == {}
    with pytest.raises(GalleryError, match="has no entry '5.jpg'"):
        gallery.vectors_of([*names, "5.jpg"])


def test_removed_entries_are_not_found_and_may_come_back(gallery):
    assert gallery.remove(["3.jpg", "4.jpg", "unknown.jpg"]) == 2
    assert len(gallery) == 28
    query = vectors(30)[[3]]
    assert "3.jpg" not in keys(gallery.search(query, top=30)[0])
    gallery.add(query, [Entry("3.jpg", pid="new")])
    assert gallery.search(query, top=1)[0][0].entry == Entry("3.jpg", pid="new")


@pytest.mark.parametrize("kind", FOLDERS)
def test_an_entry_that_is_removed_during_a_search_is_left_out(tmp_path, monkeypatch, kind):
    name = kind.format(tmp_path)
    with open_gallery(name, create=Description(D)) as gallery, open_gallery(name) as other:
        gallery.add(vectors(30), people(30))
        read = EmbeddedGallery.vectors

        def read_after_removal(own):
            other.remove(["3.jpg"])
            return read(own)

        monkeypatch.setattr(EmbeddedGallery, "vectors", read_after_removal)
        found = keys(gallery.search(vectors(30)[[3]], top=5)[0])
    assert found == expected_keys(vectors(30)[3], np.arange(30), 5)[1:]


@pytest.mark.parametrize("name", ["it's", 'a "b"', "c\\d.jpg", "人 7", "{x}", "", "%_", "n\n"])
def test_names_may_contain_any_character(gallery, name):
    entry = Entry(f"key {name}", pid=name, camid=f"cam {name}")
    gallery.add(vectors(1, seed=5), [entry])
    for only in (Filter(pids=frozenset({name})), Filter(camids=frozenset({f"cam {name}"}))):
        assert gallery.search(vectors(1, seed=5), top=5, only=only)[0][0].entry == entry
    assert gallery.remove([entry.key]) == 1


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("other_kind", FOLDERS)
def test_a_folder_opens_with_and_without_faiss(tmp_path, kind, other_kind):
    with open_gallery(kind.format(tmp_path), create=Description(D, "m1")) as gallery:
        gallery.add(vectors(30), people(30), model="m1")
        same_in(gallery, other_kind.format(tmp_path))


def same_in(gallery, name):
    with open_gallery(name) as other:
        assert other.description == Description(D, "m1")
        assert list(other.entries()) == people(30)
        query = vectors(3, seed=3)
        for own, theirs in zip(gallery.search(query), other.search(query)):
            assert keys(own) == keys(theirs)


@pytest.mark.parametrize(
    ("features", "entries", "model", "message"),
    [
        (vectors(2), people(2, start=28), "m1", "'28.jpg' is in the gallery already"),
        (vectors(2), people(1, start=50) * 2, "m1", "'50.jpg' is twice in the addition"),
        (vectors(2)[:, :5], people(2, start=50), "m1", r"shape \(2, 5\).*16 dimensions"),
        (vectors(2), people(3, start=50), "m1", "2 features, but 3 entries"),
        (np.zeros((1, D)), people(1, start=50), "m1", "Row 0 .* is zero or not finite"),
        (np.full((1, D), np.nan), people(1, start=50), "m1", "Row 0 .* is zero or not finite"),
        (vectors(2), people(2, start=50), "m2", "come from the model m1, not from m2"),
    ],
)
def test_a_wrong_addition_changes_nothing(gallery, features, entries, model, message):
    with pytest.raises(GalleryError, match=message):
        gallery.add(features, entries, model=model)
    assert list(gallery.entries()) == people(30)
    gallery.add(vectors(1, seed=9), people(1, start=60), model="m1")
    assert len(gallery) == 31


def test_an_empty_gallery_finds_nothing(tmp_path):
    with open_gallery(str(tmp_path / "g"), create=Description(3)) as gallery:
        assert gallery.search(np.ones((2, 3))) == [[], []]


def test_what_is_no_gallery_is_refused(tmp_path):
    with pytest.raises(GalleryError, match="There is no gallery"):
        open_gallery(str(tmp_path / "none"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(GalleryError, match="exists and is not a gallery"):
        open_gallery(str(tmp_path / "photos"), create=Description(3))
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / VECTORS).write_bytes(b"\0" * 8), "has 8 bytes, where 1920 are"),
        (lambda folder: (folder / VECTORS).unlink(), "has 0 bytes, where 1920 are"),
        (lambda folder: (folder / ENTRIES).write_bytes(b"x" * 5000), "is damaged"),
    ],
)
def test_damaged_files_are_named(tmp_path, damage, message):
    with open_gallery(str(tmp_path / "g"), create=Description(D)) as gallery:
        gallery.add(vectors(30), people(30))
    damage(tmp_path / "g")
    with pytest.raises(GalleryError, match=message):
        open_gallery(str(tmp_path / "g"))


def test_a_server_that_does_not_answer_is_named():
    with pytest.raises(GalleryError, match=r"Milvus at http://127.0.0.1:9 cannot be opened"):
        open_gallery("http://127.0.0.1:9")


@pytest.fixture
def milvus(tmp_path):
    """The address of a gallery in Milvus."""
    name = f"{tmp_path}/g.db"
    with open_gallery(name, create=Description(D)) as gallery:
        gallery.add(vectors(3), people(3))
    return name


@pytest.mark.parametrize(
    ("method", "use"),
    [
        ("query", lambda gallery: len(gallery)),
        ("query", lambda gallery: list(gallery.entries())),
        ("query", lambda gallery: gallery.find(["0.jpg"])),
        ("query", lambda gallery: gallery.vectors_of(["0.jpg"])),
        ("search", lambda gallery: gallery.search(vectors(1))),
        ("delete", lambda gallery: gallery.remove(["0.jpg"])),
        ("insert", lambda gallery: gallery.add(vectors(1), people(1, start=9))),
        ("upsert", lambda gallery: gallery.add(vectors(1), people(1, start=9))),
        ("flush", lambda gallery: gallery.add(vectors(1), people(1, start=9))),
    ],
)
@pytest.mark.parametrize("kind", ["MilvusException", "RpcError"])
def test_errors_of_milvus_name_the_address(milvus, monkeypatch, method, use, kind):
    with open_gallery(milvus) as gallery:
        fail(monkeypatch, method, kind)
        with pytest.raises(GalleryError, match=rf"^Milvus at {milvus} failed: .*no leader"):
            use(gallery)


@pytest.mark.parametrize("method", ["has_collection", "load_collection", "describe_collection"])
def test_errors_while_milvus_is_opened_name_the_address(milvus, monkeypatch, method):
    fail(monkeypatch, method, "MilvusException")
    with pytest.raises(GalleryError, match=rf"^Milvus at {milvus} failed: .*no leader"):
        open_gallery(milvus)


def fail(monkeypatch, method, kind):
    """Let a method of the client of Milvus raise an error."""
    import grpc
    import pymilvus

    def raise_error(*_, **__):
        raise {
            "MilvusException": pymilvus.MilvusException(message="no leader"),
            "RpcError": grpc.RpcError("no leader"),
        }[kind]

    monkeypatch.setattr(pymilvus.MilvusClient, method, raise_error)


def test_a_database_of_something_else_is_refused(tmp_path):
    open_gallery(f"{tmp_path}/g.db", create=Description(D)).close()
    with pytest.raises(GalleryError, match="features of 16 dimensions, not 8"):
        open_gallery(f"{tmp_path}/g.db", create=Description(8))
    with pytest.raises(GalleryError, match="There is no gallery at"):
        open_gallery(f"{tmp_path}/other.db")


def test_another_format_is_refused(tmp_path):
    open_gallery(str(tmp_path / "g"), create=Description(D)).close()
    with sqlite3.connect(tmp_path / "g" / ENTRIES) as database:
        database.execute("UPDATE about SET value = '9' WHERE name = 'format'")
    with pytest.raises(GalleryError, match="has the format 9; this version reads 1"):
        open_gallery(str(tmp_path / "g"))


def test_a_killed_addition_leaves_all_of_it_or_nothing(tmp_path):
    folder = str(tmp_path / "g")
    open_gallery(folder, create=Description(D)).close()
    context = multiprocessing.get_context("fork")
    rng = RNG(0)
    done = 0
    for number in range(50):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=add_from, args=(folder, done, sender))
        process.start()
        # Every second process is killed after its first addition, however slow the machine is.
        if number % 2:
            assert receiver.poll(60)
        time.sleep(rng.uniform(0.001, 0.03))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        with open_gallery(folder) as gallery:
            names = [entry.key for entry in gallery.entries()]
            assert len(names) % 3 == 0
            done = len(names) // 3
            assert names == [f"{person}_{i}" for person in range(done) for i in range(3)]
            if done:
                (matches,) = gallery.search(vectors(3, seed=done - 1)[[1]], top=1)
                assert matches[0].entry.key == f"{done - 1}_1"
    assert done >= 25


def add_from(folder, first, sender):
    with open_gallery(folder) as gallery:
        for person in range(first, first + 100_000):
            gallery.add(vectors(3, seed=person), [Entry(f"{person}_{i}") for i in range(3)])
            if person == first:
                sender.send(None)


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    with open_gallery(str(tmp_path / "g"), create=Description(D)) as gallery:
        gallery.add(vectors(3), people(3))

        def full(*_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space left"):
                gallery.add(vectors(2, seed=1), people(2, start=3))
        assert list(gallery.entries()) == people(3)
        gallery.add(vectors(2, seed=1), people(2, start=3))
        assert keys(gallery.search(vectors(2, seed=1)[[1]], top=1)[0]) == ["4.jpg"]
