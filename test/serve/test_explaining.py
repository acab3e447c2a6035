"""/api/explain: what the places of a query and of a result add to their cosine."""

import base64
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from fastreid.config import load_config
from fastreid.engine import DefaultPredictor
from fastreid.explain import draw_map, explain_pair, to_picture

from .serving import encoded, search, served
from .test_limits import png_of_size

TOKEN = "the right token"


@pytest.fixture(scope="module")
def explaining(checkpoint_place):
    """A client of a service that runs a checkpoint."""
    with served(checkpoint_place, limits={"searches_per_minute": 10_000}) as client:
        yield client


def explain(client, identifier, *files):
    """Ask why a result matches; files are paths or (name, content)."""
    pairs = [each if isinstance(each, tuple) else (each.name, each.read_bytes()) for each in files]
    sent = [("images", pair) for pair in pairs]
    return client.post("/api/explain", files=sent, data={"id": identifier})


def result_of(client, place, query, number):
    """Search for a photo, and return another one's result."""
    results = search(client, place.photo(query), top=100).json()["results"]
    return next(result for result in results if result["file"] == f"{number}.png")


def decoded(url):
    head, _, content = url.partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content, validate=True)), formats=["PNG"]) as image:
        return np.asarray(image)


def detail(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["detail"]


def test_numbers_and_pictures_are_those_of_the_explainer(checkpoint_place, explaining):
    place = checkpoint_place
    result = result_of(explaining, place, 3, 8)
    answer = explain(explaining, result["id"], place.photo(3))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    predictor = DefaultPredictor(load_config(place.config_file))
    paths = [str(place.photo(number)) for number in (3, 8)]
    why = explain_pair(predictor, *paths)
    expected = {
        "cosine": why.cosine,
        "query_places": why.query_map.sum(),
        "result_places": why.gallery_map.sum(),
        "bias": why.bias,
        "rest": why.rest,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-5), name
    assert found["cosine"] == pytest.approx(result["similarity"], abs=1e-5)
    largest = max(np.abs(why.query_map).max(), np.abs(why.gallery_map).max())
    maps = why.query_map, why.gallery_map
    for name, path, values in zip(("query", "result"), paths, maps):
        drawn = draw_map(to_picture(predictor.prepare(path)), values, largest=largest)
        np.testing.assert_allclose(decoded(found[name]).astype(int), drawn, atol=1)


def test_the_first_of_several_pictures_is_explained(checkpoint_place, explaining):
    place = checkpoint_place
    identifier = result_of(explaining, place, 3, 8)["id"]
    alone = explain(explaining, identifier, place.photo(3)).json()
    several = explain(explaining, identifier, place.photo(3), place.photo(5)).json()
    assert (alone.pop("pictures"), several.pop("pictures")) == (1, 2)
    assert several == alone


def test_whether_results_can_be_explained_is_told(client, explaining):
    assert client.get("/api/gallery").json()["explanations"] is False
    assert explaining.get("/api/gallery").json()["explanations"] is True


def test_an_exported_file_cannot_be_explained(place, client):
    result = result_of(client, place, 0, 1)
    message = detail(explain(client, result["id"], place.photo(0)), 400)
    assert message == (
        "This service runs an exported file, whose results cannot be explained: serve the "
        "checkpoint, tools/serve.py --model FILE.ckpt --config-file FILE.yml."
    )


def test_only_results_of_searches_are_explained(checkpoint_place, explaining):
    for identifier in ("0" * 32, str(checkpoint_place.photo(1)), "../config.yml"):
        message = detail(explain(explaining, identifier, checkpoint_place.photo(0)), 404)
        assert message == "There is no such entry, or its image is not shown."


def test_images_outside_the_folders_are_not_explained(checkpoint_place, tmp_path):
    place = checkpoint_place
    with served(place, image_roots=[tmp_path]) as client:
        result = result_of(client, place, 0, 1)
        assert result["image"] is None
        message = detail(explain(client, result["id"], place.photo(0)), 404)
    assert message == "There is no such entry, or its image is not shown."


def test_a_result_whose_image_is_damaged_is_refused(checkpoint_place, tmp_path):
    place = checkpoint_place
    kept = shutil.copy(place.photo(2), tmp_path)
    with served(place) as client:
        result = result_of(client, place, 0, 2)
        try:
            place.photo(2).write_bytes(b"no picture")
            message = detail(explain(client, result["id"], place.photo(0)), 404)
        finally:
            shutil.copy(kept, place.photo(2))
        assert message == "The image of this entry cannot be read."
        assert explain(client, result["id"], place.photo(0)).status_code == 200


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (("a.png", b"x"), "a.png is not a picture that can be read."),
        (("a.png", png_of_size(6000, 6000)), "a.png has more pixels than the 25 million"),
    ],
)
def test_a_query_that_cannot_be_read_is_refused(checkpoint_place, explaining, file, message):
    identifier = result_of(explaining, checkpoint_place, 0, 1)["id"]
    assert detail(explain(explaining, identifier, file), 400).startswith(message)


def test_a_form_without_its_fields_is_refused(checkpoint_place, explaining):
    assert "images: Field required" in detail(explaining.post("/api/explain"), 422)
    content = checkpoint_place.photo(0).read_bytes()
    answer = explaining.post("/api/explain", files={"images": ("a.png", content)})
    assert detail(answer, 422) == "id: Field required"


def test_the_limits_of_a_search_apply(checkpoint_place):
    place = checkpoint_place
    limits = {"searches_per_minute": 4, "max_crops": 1, "max_upload_mb": 0.01}
    with served(place, limits=limits) as client:
        identifier = result_of(client, place, 0, 1)["id"]
        message = detail(explain(client, identifier, place.photo(0), place.photo(1)), 400)
        assert message == "There are 2 pictures; at most 1 are allowed."
        large = ("large.bmp", encoded((100, 100), "BMP"))
        assert "larger than 0.01 MB" in detail(explain(client, identifier, large), 413)
        assert explain(client, identifier, place.photo(0)).status_code == 200
        # Explanations and searches are counted together.
        refused = explain(client, identifier, place.photo(0))
        assert detail(refused, 429).startswith("Too many requests")
        assert search(client, place.photo(0)).status_code == 429


def test_an_explanation_needs_the_token(place):
    with served(place, token=TOKEN) as client:
        assert explain(client, "0" * 32, place.photo(0)).status_code == 401
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        assert explain(client, "0" * 32, place.photo(0)).status_code == 400


def test_a_model_that_cannot_be_explained_serves_searches(checkpoint_place, monkeypatch):
    from fastreid.explain import Explainer, ExplainError

    place = checkpoint_place

    def refuse(*_):
        raise ExplainError("A model of one place.")

    with monkeypatch.context() as patch:
        patch.setattr(Explainer, "__init__", refuse)
        with served(place) as client:
            assert client.get("/api/gallery").json()["explanations"] is False
            result = result_of(client, place, 0, 1)
            message = detail(explain(client, result["id"], place.photo(0)), 400)
            assert message == "A model of one place."
    monkeypatch.setattr(Explainer, "pair", refuse)
    with served(place) as client:
        result = result_of(client, place, 0, 1)
        assert detail(explain(client, result["id"], place.photo(0)), 400) == "A model of one place."


def test_the_interface_describes_explanations(client):
    described = client.get("/api/openapi.json").json()
    assert {"200", "400", "404", "413", "429"} <= set(
        described["paths"]["/api/explain"]["post"]["responses"]
    )
