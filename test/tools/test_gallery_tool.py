"""tools/gallery.py: its commands and its refusals."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastreid.deploy import Embedder
from fastreid.evaluation.features.feature_file import FeatureSet, save_features
from fastreid.evaluation.features.feature_table import ImageFeatures
from fastreid.evaluation.features.part_file import PartColumns, PartError, PartInfo, encode_part
from fastreid.gallery import Description, Entry, GalleryError, open_gallery
from gallery import main
from test.deploy.small_models import INFO, write_model
from test.extraction.cases import write_onnx
from tools import extract_features


@pytest.fixture
def model(tmp_path):
    return str(write_model(tmp_path / "model.onnx"))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        pixels = rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def gallery(tmp_path, photos, model):
    name = str(tmp_path / "people")
    main(["add", name, "--images", str(photos), "--model", model])
    return name


def feature_file(path, number=4, dimension=6):
    rng = np.random.default_rng(1)
    images = ImageFeatures(
        rng.standard_normal((number, dimension)).astype(np.float32),
        np.array([7, 7, 9, -1][:number]),
        np.array([0, 1, 1, -1][:number]),
        np.array([f"/x/{i}.jpg" for i in range(number)]),
    )
    save_features(path, FeatureSet(images, 0, "x"))
    return str(path)


def test_an_image_finds_itself_first(gallery, photos, model, capsys):
    query = str(photos / "3.png")
    main(["search", gallery, query, "--model", model, "--top", "2"])
    title, first, _ = capsys.readouterr().out.splitlines()[-3:]
    assert title == query
    assert first.split() == ["1", "1.0000", query]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [("0007", "3"), ("", "1"), ("", "")]),
        (["--pattern", r"(?P<pid>\w+?)_(?P<camid>\w\d)"], [("0007", "c3"), ("", ""), ("", "")]),
    ],
)
def test_identity_and_camera_are_read_from_file_names(tmp_path, photos, model, words, expected):
    names = ("0007_c3s1_1.png", "-1_c1s1_2.png", "x.png")
    for number, name in enumerate(names):
        (photos / f"{number}.png").rename(photos / name)
    output = str(tmp_path / "out.csv")
    main(["add", str(tmp_path / "g"), "--images", str(photos), "--model", model, *words])
    main(["export", str(tmp_path / "g"), output])
    with Path(output).open(encoding="utf-8", newline="") as file:
        labels = {Path(row["key"]).name: (row["pid"], row["camid"]) for row in csv.DictReader(file)}
    assert [labels[name] for name in names] == expected


@pytest.mark.parametrize("pattern", ["(", "(?P<pid>.)"])
def test_a_wrong_pattern_is_refused(tmp_path, photos, model, pattern, capsys):
    words = ["add", str(tmp_path / "g"), "--images", str(photos), "--model", model]
    with pytest.raises(SystemExit):
        main([*words, "--pattern", pattern])
    assert "argument --pattern" in capsys.readouterr().err
    assert not (tmp_path / "g").exists()


def test_several_images_of_a_person_are_averaged(gallery, photos, model, capsys):
    queries = [str(photos / f"{i}.png") for i in (1, 2)]
    main(["search", gallery, *queries, "--model", model, "--top", "2", "--average"])
    lines = capsys.readouterr().out.splitlines()[-3:]
    paths = [str(photos / f"{i}.png") for i in range(6)]
    features = Embedder(model)(paths)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    order = np.argsort(-features @ (features[1] + features[2]))
    assert lines[0] == ", ".join(queries)
    assert [line.split()[2] for line in lines[1:]] == [paths[i] for i in order[:2]]


def test_feature_files_keep_their_labels(tmp_path, capsys):
    name = str(tmp_path / "g")
    main(["add", name, feature_file(tmp_path / "feats.npz")])
    main(["export", name, str(tmp_path / "out.csv")])
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["key"], row["pid"], row["camid"]) for row in rows] == [
        ("/x/0.jpg", "7", "0"),
        ("/x/1.jpg", "7", "1"),
        ("/x/2.jpg", "9", "1"),
        ("/x/3.jpg", "", ""),
    ]
    main(["stats", name])
    assert "4 images, 2 identities, 2 cameras, 6 dimensions" in capsys.readouterr().out


def test_cameras_and_identities_restrict_a_search(tmp_path, photos, model, capsys):
    name = str(tmp_path / "g")
    main(["add", name, feature_file(tmp_path / "feats.npz")])
    query = str(photos / "0.png")

    def found(*options):
        capsys.readouterr()
        main(["search", name, query, "--model", model, *options])
        return {line.split()[2] for line in capsys.readouterr().out.splitlines()[1:]}

    assert found() == {f"/x/{i}.jpg" for i in range(4)}
    assert found("--pid", "7", "--pid", "9") == {"/x/0.jpg", "/x/1.jpg", "/x/2.jpg"}
    assert found("--camid", "1", "--pid", "9") == {"/x/2.jpg"}
    assert found("--not-camid", "1") == {"/x/0.jpg", "/x/3.jpg"}


def test_removed_images_are_counted(gallery, photos, capsys):
    main(["remove", gallery, str(photos / "0.png"), "unknown"])
    assert "1 of 2 names removed; the gallery has 5 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["add", "{g}"], "Give feature files"),
        (["add", "{g}", "--images", "{photos}"], "--images needs --model"),
        (["add", "{g}", "--images", "{photos}", "--model", "{model}"], "in the gallery already"),
        (["search", "{g}x", "q.png", "--model", "{model}"], "There is no gallery"),
        (["search", "{g}", "{photos}/0.png", "--model", "{model}", "--top", "0"], "--top is 0"),
        (["search", "{g}", "{photos}/0.png", "--model", "{other}"], "come from the model 0000"),
        (["add", "{g}", "{feats}"], "6 dimensions, not 5"),
    ],
)
def test_mistakes_are_named(gallery, photos, model, tmp_path, words, message):
    other = write_model(tmp_path / "other.onnx", replace(INFO, weights_sha256="f" * 64))
    names = {"g": gallery, "photos": photos, "model": model, "other": other}
    names["feats"] = feature_file(tmp_path / "five.npz", dimension=5)
    with pytest.raises((ValueError, GalleryError), match=message):
        main([word.format(**names) for word in words])


def test_nothing_is_made_of_a_folder_without_images(tmp_path, model):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no images"):
        main(["add", str(tmp_path / "g"), "--images", str(tmp_path / "empty"), "--model", model])
    assert not (tmp_path / "g").exists()


def parts_of(folder, *, number=10, model="m" * 64, weights="0" * 64, size=3, names="img"):
    """Write images with features of the model into files of a few each."""
    rng = np.random.default_rng(2)
    features = rng.standard_normal((100, 6)).astype(np.float32)[:number]
    info = PartInfo(model, "model.onnx", "", weights)
    folder.mkdir(exist_ok=True)
    for start in range(0, number, size):
        rows = range(start, min(start + size, number))
        columns = PartColumns(
            [f"/x/{names}{row}.jpg" for row in rows],
            [str(row // 4) if row % 5 else "" for row in rows],
            [f"cam{row % 2}" for row in rows],
            features[start : start + size],
        )
        # Files are read in the order of their names, which are hashes.
        name = f"part-{rng.integers(10**9):09d}-{model[0]}{number}-{size}.parquet"
        (folder / name).write_bytes(encode_part(info, columns).to_pybytes())
    return features


def write_times(path, paths):
    rows = "".join(f"{name},{10 * number}\n" for number, name in enumerate(paths))
    path.write_text(f"path,time\n{rows}")
    return ["--times", str(path)]


@pytest.mark.parametrize("kind", ["file", "parts", "folder"])
def test_times_are_kept_and_restrict_a_search(tmp_path, photos, model, kind, capsys, caplog):
    name, query = str(tmp_path / "g"), str(photos / "0.png")
    paths = {
        "file": [f"/x/{number}.jpg" for number in range(4)],
        "parts": [f"/x/img{number}.jpg" for number in range(4)],
        # Relative to the list.
        "folder": [f"photos/{number}.png" for number in range(4)],
    }[kind]
    if kind == "file":
        words = [feature_file(tmp_path / "feats.npz")]
    elif kind == "parts":
        parts_of(tmp_path / "parts", number=5, weights=INFO.weights_sha256)
        words = [str(tmp_path / "parts")]
    else:
        words = ["--images", str(photos), "--model", model]
    main(["add", name, *words, *write_times(tmp_path / "times.csv", paths)])
    keys = [str(tmp_path / path) for path in paths]
    found = {entry.key: entry.time for entry in entries_of(name)}
    assert [found.pop(key) for key in keys] == [0, 10, 20, 30]
    assert set(found.values()) <= {None}
    unknown = {"file": 0, "parts": 1, "folder": 2}[kind]
    assert len(found) == unknown
    assert (f"{unknown} added images have no time in" in caplog.text) == (unknown > 0)

    def searched(*options):
        capsys.readouterr()
        main(["search", name, query, "--model", model, *options])
        return {line.split()[2] for line in capsys.readouterr().out.splitlines()[1:]}

    assert searched("--since", "10", "--before", "1970-01-01T00:00:30Z") == set(keys[1:3])
    assert searched("--since", "0") == set(keys)
    assert searched("--before", "0") == set()


def test_a_file_of_features_of_an_unknown_model_is_added_with_a_warning(tmp_path, gallery, caplog):
    file = feature_file(tmp_path / "feats.npz")
    main(["add", str(tmp_path / "new"), file])
    assert caplog.text == ""
    main(["add", gallery, file])
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    expected = f"{file} does not say which weights its features come from; the gallery has features"
    assert record.getMessage().startswith(expected)
    assert INFO.weights_sha256[:12] in record.getMessage()
    assert len(entries_of(gallery)) == 10


def entries_of(name):
    with open_gallery(name) as gallery:
        return sorted(gallery.entries())


@pytest.mark.parametrize("kind", ["{}/g", "faiss:{}/g", "{}/g.db"])
def test_a_folder_of_parts_is_added_once_however_often_it_is_given(tmp_path, kind, capsys):
    name, folder = kind.format(tmp_path), tmp_path / "parts"
    parts_of(folder, number=7)
    main(["add", name, str(folder)])
    assert f"{folder}: 7 images added, 0 were there; the gallery has 7" in capsys.readouterr().out
    # Another extraction has divided the images in another way, and has more of them.
    features = parts_of(folder, number=10, size=4)
    main(["add", name, str(folder), str(folder)])
    out = capsys.readouterr().out
    assert f"{folder}: 3 images added, 14 were there; the gallery has 10" in out
    assert f"{folder}: 0 images added, 17 were there; the gallery has 10" in out
    found = {entry.key: entry for entry in entries_of(name)}
    assert found["/x/img6.jpg"] == Entry("/x/img6.jpg", "1", "cam0", None, "/x/img6.jpg")
    assert found["/x/img5.jpg"].pid == ""
    with open_gallery(name) as gallery:
        assert gallery.description == Description(6, "0" * 64)
        for row, matches in enumerate(gallery.search(features, top=1)):
            assert matches[0].entry.key == f"/x/img{row}.jpg"
            assert matches[0].similarity == pytest.approx(1, abs=1e-5)


def test_parts_of_another_model_are_refused_and_change_nothing(tmp_path):
    name = str(tmp_path / "g")
    parts_of(tmp_path / "parts")
    main(["add", name, str(tmp_path / "parts")])
    before = entries_of(name)
    parts_of(tmp_path / "other", model="o" * 64, weights="f" * 64, names="other")
    with pytest.raises(GalleryError, match="come from the model 0000.*, not from ffff"):
        main(["add", name, str(tmp_path / "other")])
    parts_of(tmp_path / "parts", model="o" * 64, weights="f" * 64, names="other")
    with pytest.raises(PartError, match="has features of another model"):
        main(["add", name, str(tmp_path / "parts")])
    with pytest.raises(PartError, match="has features of another model"):
        main(["add", str(tmp_path / "new"), str(tmp_path / "parts")])
    assert entries_of(name) == before
    assert not (tmp_path / "new").exists()


def test_parts_without_a_hash_of_the_weights_have_that_of_their_model(tmp_path):
    parts_of(tmp_path / "parts", weights="")
    main(["add", str(tmp_path / "g"), str(tmp_path / "parts")])
    with open_gallery(str(tmp_path / "g")) as gallery:
        assert gallery.description.model == "m" * 64


def test_images_and_parts_of_the_same_weights_share_a_gallery(tmp_path, gallery, photos, model):
    parts_of(tmp_path / "parts", weights=INFO.weights_sha256)
    main(["add", gallery, str(tmp_path / "parts")])
    assert len(entries_of(gallery)) == 16


def test_a_folder_without_parts_or_with_a_damaged_one_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PartError, match="empty has no parts"):
        main(["add", str(tmp_path / "g"), str(tmp_path / "empty")])
    parts_of(tmp_path / "parts")
    path = min((tmp_path / "parts").iterdir())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(PartError, match=path.name):
        main(["add", str(tmp_path / "g"), str(tmp_path / "parts")])
    assert not (tmp_path / "g").exists()


def test_extracted_parts_are_added_and_searched_from_end_to_end(tmp_path, photos, capsys):
    onnx = write_onnx(tmp_path / "m.onnx")
    extract = ["--model", str(onnx), "--images", str(photos), "--output", str(tmp_path / "parts")]
    extract_features.main([*extract, "--part-size", "2"])
    main(["add", str(tmp_path / "g"), str(tmp_path / "parts")])
    query = str(photos / "4.png")
    main(["search", str(tmp_path / "g"), query, "--model", str(onnx), "--top", "1"])
    assert capsys.readouterr().out.splitlines()[-1].split() == ["1", "1.0000", query]
    other = write_onnx(tmp_path / "o.onnx", weights_sha256="f" * 64)
    with pytest.raises(GalleryError, match="features of two models cannot be compared"):
        main(["search", str(tmp_path / "g"), query, "--model", str(other)])
    extract[1], extract[-1] = str(other), str(tmp_path / "others")
    extract_features.main(extract)
    with pytest.raises(GalleryError, match="features of two models cannot be compared"):
        main(["add", str(tmp_path / "g"), str(tmp_path / "others")])
