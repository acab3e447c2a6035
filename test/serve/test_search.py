"""/api/search and /api/gallery answer what the gallery holds."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastreid.evaluation import re_ranking
from fastreid.evaluation.rerank import jaccard_distance
from fastreid.gallery import Description, EmbeddedGallery, GalleryError, open_gallery

from .serving import NUMBER, encoded, names, search, served


def order(place, query, rows=range(NUMBER)):
    """Names of photos, the most similar to a feature first."""
    rows = list(rows)
    return [f"{rows[i]}.png" for i in np.argsort(-(place.features[rows] @ query), kind="stable")]


def test_an_image_finds_itself_with_labels_and_distance(place, client):
    answer = search(client, place.photo(7), top=3)
    assert names(answer) == order(place, place.features[7])[:3]
    first = answer.json()["results"][0]
    assert (first["rank"], first["pid"], first["camid"], first["time"]) == (1, "2", "b", 420.0)
    assert first["distance"] == pytest.approx(0, abs=1e-5)
    assert first["similarity"] == pytest.approx(1, abs=1e-5)
    assert first["reranked"] is None


def test_features_of_several_pictures_are_averaged(place, client):
    answer = search(client, place.photo(1), place.photo(5), place.photo(8), top=NUMBER)
    mean = place.features[[1, 5, 8]].sum(axis=0)
    assert names(answer) == order(place, mean)
    assert answer.json()["pictures"] == 3
    found = [result["similarity"] for result in answer.json()["results"]]
    expected = np.sort(place.features @ (mean / np.linalg.norm(mean)))[::-1]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"pid": ["1", "3"]}, [3, 4, 5, 9, 10, 11]),
        ({"camid": "a"}, range(0, NUMBER, 2)),
        ({"not_camid": "a"}, range(1, NUMBER, 2)),
        ({"since": 120, "before": 300}, [2, 3, 4]),
        ({"pid": "1", "camid": "b"}, [3, 5]),
        ({"pid": "nobody"}, []),
    ],
)
def test_filters_decide_what_is_considered(place, client, options, rows):
    answer = search(client, place.photo(0), top=NUMBER, **options)
    assert names(answer) == order(place, place.features[0], rows)


def test_results_below_the_smallest_similarity_are_left_out(place, client):
    similarities = np.sort(place.features @ place.features[0])[::-1]
    limit = float(similarities[3:5].mean())
    assert len(names(search(client, place.photo(0), min_similarity=limit))) == 4


def test_re_ranking_orders_by_the_distances_of_the_evaluation(place, client):
    answer = search(client, place.photo(4), top=NUMBER, rerank=True).json()["results"]
    query, gallery = place.features[[4]], place.features
    expected = re_ranking(1 - query @ gallery.T, jaccard_distance(query, gallery))[0]
    found = {result["file"]: result["reranked"] for result in answer}
    for index, value in enumerate(expected):
        assert found[f"{index}.png"] == pytest.approx(value, abs=1e-4)
    values = [result["reranked"] for result in answer]
    assert values == sorted(values)


@pytest.mark.parametrize("pids", ["none", "0"])
def test_re_ranking_of_few_or_no_results(place, client, pids):
    answer = search(client, place.photo(0), rerank=True, pid=pids)
    assert len(names(answer)) == (3 if pids == "0" else 0)


def test_twenty_requests_at_once_get_their_own_answers(place, client):
    with ThreadPoolExecutor(20) as threads:
        numbers = [i % NUMBER for i in range(20)]
        answers = list(threads.map(lambda i: search(client, place.photo(i), top=1), numbers))
    assert [names(answer) for answer in answers] == [[f"{i}.png"] for i in numbers]


def test_the_gallery_is_described(client):
    answer = client.get("/api/gallery").json()
    assert (answer["images"], answer["identities"], answer["cameras"]) == (12, 4, ["a", "b"])
    assert (answer["earliest"], answer["latest"]) == (0.0, 660.0)
    assert (answer["dimension"], answer["model"]) == (6, "0" * 64)
    assert answer["limits"] == {
        "upload_bytes": 32_000_000,
        "pixels": 25_000_000,
        "crops": 16,
        "results": 100,
    }


def test_an_empty_gallery_has_no_results(place, tmp_path):
    name = str(tmp_path / "empty")
    open_gallery(name, create=Description(6)).close()
    with served(place, gallery=name) as client:
        assert client.get("/api/gallery").json()["images"] == 0
        assert client.get("/api/gallery").json()["earliest"] is None
        assert names(search(client, place.photo(0))) == []
        assert names(search(client, place.photo(0), rerank=True)) == []


def test_images_that_another_process_adds_are_found(place, tmp_path):
    name = str(tmp_path / "growing")
    with (
        open_gallery(name, create=Description(6)) as gallery,
        served(place, gallery=name) as client,
    ):
        assert names(search(client, place.photo(0))) == []
        with open_gallery(place.gallery) as other:
            gallery.add(place.features, list(other.entries()))
        assert names(search(client, place.photo(0), top=1)) == ["0.png"]
        assert client.get("/api/gallery").json()["images"] == NUMBER


@pytest.mark.parametrize("kind", ["faiss:{}", pytest.param("{}.db", marks=pytest.mark.zoo)])
def test_every_kind_of_gallery_is_served(place, tmp_path, kind):
    name = kind.format(tmp_path / "g")
    with open_gallery(name, create=Description(6)) as gallery, open_gallery(place.gallery) as other:
        gallery.add(place.features, list(other.entries()))
    with served(place, gallery=name) as client:
        answer = search(client, place.photo(7), top=4, rerank=True, not_camid="a", since=60)
        assert names(answer)[0] == "7.png"
        assert client.get(answer.json()["results"][0]["image"]).status_code == 200
        assert client.get("/api/gallery").json()["cameras"] == ["a", "b"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_pictures_of_common_formats_are_read(client, kind):
    assert len(names(search(client, ("x", encoded((20, 40), kind)), top=1))) == 1


def test_an_entry_that_is_removed_before_the_re_ranking_is_left_out(place, tmp_path, monkeypatch):
    name = str(tmp_path / "shrinking")
    shutil.copytree(place.gallery, name)
    read = EmbeddedGallery.vectors_of

    def read_after_removal(gallery, keys):
        with open_gallery(name) as other:
            other.remove([str(place.photo(4)), str(place.photo(7))])
        return read(gallery, keys)

    monkeypatch.setattr(EmbeddedGallery, "vectors_of", read_after_removal)
    with served(place, gallery=name) as client:
        found = names(search(client, place.photo(4), top=NUMBER, rerank=True))
    assert sorted(found) == sorted(f"{i}.png" for i in range(NUMBER) if i not in (4, 7))


def test_an_error_of_the_gallery_is_logged_and_its_message_not_sent(
    place, client, monkeypatch, caplog
):
    def fail(*_, **__):
        raise GalleryError("The gallery /srv/people is damaged.")

    monkeypatch.setattr(EmbeddedGallery, "search", fail)
    answer = search(client, place.photo(0))
    assert (answer.status_code, int(answer.headers["Retry-After"])) == (503, 5)
    assert answer.json() == {"detail": "The gallery does not answer; try again later."}
    assert "/api/search failed: The gallery /srv/people is damaged." in caplog.text


def test_the_interface_is_described_for_programs(client):
    described = client.get("/api/openapi.json").json()
    assert {"/api/search", "/api/gallery", "/api/image/{identifier}", "/api/health"} <= set(
        described["paths"]
    )
    properties = described["components"]["schemas"]["ResultObject"]["properties"]
    assert {"distance", "pid", "camid", "file", "image"} <= set(properties)
    assert client.get("/api/health").json() == {"status": "ok"}
    # FastAPI's own pages load scripts from other servers.
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
