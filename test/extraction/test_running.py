"""Features of many images in parts: complete, equal to those of one process, and resumable."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from fastreid.deploy import Embedder
from fastreid.evaluation import iterate_parts, load_features
from fastreid.extraction import UNREADABLE, Distribution, extract_parts
from test.extraction.cases import config, listed, open_model, write_images, write_onnx


def contents(folder):
    """Name and content of every file and folder."""
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


def extract(images, onnx, output, **options):
    how = Distribution(**{"part_size": 5, **options})
    return extract_parts(listed(images), open_model(onnx), output, how)


@pytest.mark.parametrize("part_size", [1, 5, 23, 1000])
def test_parts_hold_the_features_of_the_embedder(images, onnx, tmp_path, part_size):
    output = tmp_path / "parts"
    summary = extract(images, onnx, output, part_size=part_size)
    assert summary == (23, 0, 23, 0)
    assert len(list(output.iterdir())) == -(-23 // part_size)
    found, expected = load_features(output), listed(images)
    order = np.argsort(expected.paths)
    assert found.images.paths.tolist() == sorted(expected.paths)
    assert found.images.pid_names.tolist() == [expected.pids[row] for row in order]
    assert found.images.camid_names.tolist() == [expected.camids[row] for row in order]
    unknown = [not expected.pids[row] for row in order]
    assert (found.images.pids == -1).tolist() == unknown
    features = Embedder(onnx)(sorted(expected.paths))
    # The same operator on the same pixels, in batches of another size.
    np.testing.assert_allclose(found.images.features, features, rtol=1e-5, atol=1e-4)
    assert (found.num_query, found.name, found.config) == (0, "parts", config().dump())


def test_two_processes_write_the_same_files_as_one(images, onnx, tmp_path):
    extract(images, onnx, tmp_path / "one")
    assert extract(images, onnx, tmp_path / "two", num_workers=2) == (23, 0, 23, 0)
    one, two = load_features(tmp_path / "one"), load_features(tmp_path / "two")
    assert contents(tmp_path / "one").keys() == contents(tmp_path / "two").keys()
    # The number of threads may change the order of sums.
    np.testing.assert_allclose(one.images.features, two.images.features, rtol=1e-5, atol=1e-4)


def test_a_restart_computes_what_is_missing_only(images, onnx, tmp_path):
    output = tmp_path / "parts"
    extract(images, onnx, output)
    before = contents(output)
    removed = sorted(before)[1:3]
    for name in removed:
        (output / name).unlink()
    times = {path.name: path.stat().st_mtime_ns for path in output.iterdir()}
    summary = extract(images, onnx, output)
    assert summary.existing + summary.written == 23
    assert summary.written > 0
    assert load_features(output).images.paths.tolist() == sorted(listed(images).paths)
    assert {name: (output / name).stat().st_mtime_ns for name in times} == times
    assert extract(images, onnx, output) == (23, 23, 0, 0)


def test_images_that_are_added_go_to_new_parts(images, onnx, tmp_path, rng):
    output = tmp_path / "parts"
    extract(images, onnx, output)
    before = contents(output)
    write_images(tmp_path / "more", 3, rng)
    shutil.move(tmp_path / "more", images / "day1" / "more")
    assert extract(images, onnx, output) == (26, 23, 3, 0)
    after = contents(output)
    assert {name: after[name] for name in before} == before
    assert len(load_features(output).images.paths) == 26


@pytest.mark.parametrize("num_workers", [1, 2])
def test_images_that_cannot_be_read_are_listed_and_tried_again(images, onnx, tmp_path, num_workers):
    output, bad = tmp_path / "parts", images / "day0" / "5_c1_bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff\xe0 not all of it")
    assert extract(images, onnx, output, num_workers=num_workers) == (24, 0, 23, 1)
    lines = (output / UNREADABLE).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "path,reason"
    assert lines[1].startswith(f"{bad},Image file {bad} cannot be read")
    assert len(lines) == 2
    assert str(bad) not in load_features(output).images.paths
    shutil.copy(next(images.rglob("*.png")), bad)
    assert extract(images, onnx, output, num_workers=num_workers) == (24, 23, 1, 0)
    assert not (output / UNREADABLE).exists()


def test_a_folder_without_one_readable_image_has_a_list_only(tmp_path, onnx):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"")
    assert extract(tmp_path / "images", onnx, tmp_path / "parts") == (1, 0, 0, 1)
    assert set(contents(tmp_path / "parts")) == {UNREADABLE}
    with pytest.raises(ValueError, match="parts has no parts"):
        load_features(tmp_path / "parts")


def test_a_part_of_another_model_is_refused_and_nothing_is_written(images, onnx, tmp_path):
    output = tmp_path / "parts"
    extract(images, onnx, output)
    next(output.iterdir()).unlink()
    before = contents(output)
    other = write_onnx(tmp_path / "other.onnx", config(20, 8))
    message = r"part-\w+.parquet has features of another model \(model.onnx, \w+\) than other.onnx"
    with pytest.raises(ValueError, match=message):
        extract(images, other, output)
    assert contents(output) == before


def test_the_mirror_image_makes_another_model(images, onnx, tmp_path):
    flipped = open_model(onnx, "TEST.FLIP.ENABLED", "True")
    extract(images, onnx, tmp_path / "plain")
    with pytest.raises(ValueError, match="another model"):
        extract_parts(listed(images), flipped, tmp_path / "plain")
    extract_parts(listed(images), flipped, tmp_path / "flipped", Distribution(part_size=5))
    # A mean over all positions of a picture is not that of its mirror image: weights differ.
    plain, mean = (load_features(tmp_path / name).images for name in ("plain", "flipped"))
    assert np.abs(plain.features - mean.features).max() > 1e-3


def test_parts_of_two_models_in_a_folder_are_refused_by_the_reader(images, onnx, tmp_path):
    extract(images, onnx, tmp_path / "parts")
    extract(images, write_onnx(tmp_path / "b.onnx", config(20, 8)), tmp_path / "b", part_size=7)
    shutil.copy(next((tmp_path / "b").iterdir()), tmp_path / "parts")
    for read in (load_features, lambda folder: list(iterate_parts(folder))):
        with pytest.raises(ValueError, match="features of another model"):
            read(tmp_path / "parts")


@pytest.mark.parametrize("fault", ["truncated", "empty", "other"])
def test_a_damaged_part_is_named_and_computed_again(images, onnx, tmp_path, fault, caplog):
    output = tmp_path / "parts"
    extract(images, onnx, output)
    before = contents(output)
    part = sorted(output.iterdir())[2]
    whole = part.read_bytes()
    part.write_bytes({"truncated": whole[:-20], "empty": b"", "other": b"text" * 99}[fault])
    with pytest.raises(ValueError, match=f"{part.name} is not a complete Parquet file"):
        load_features(output)
    summary = extract(images, onnx, output)
    assert summary.written in (3, 5)
    assert f"{part.name} is not a complete Parquet file" in caplog.text
    assert contents(output) == before


def test_files_of_killed_extractions_are_removed(images, onnx, tmp_path):
    output = tmp_path / "parts"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = subprocess.run(["hostname"], capture_output=True, text=True, check=True).stdout.strip()
    for host, pid in ((names, ended.pid), ("elsewhere", 1)):
        folder = output / f".unfinished-{host}-{pid}-0123abcd"
        folder.mkdir(parents=True)
        (folder / "part-1.parquet").write_bytes(b"half")
    extract(images, onnx, output)
    # Of another machine, whose processes cannot be seen, only old ones are removed.
    left = [name for name in contents(output) if name.startswith(".")]
    assert left == [".unfinished-elsewhere-1-0123abcd"]


def test_a_run_that_fails_leaves_complete_files_only(images, tmp_path):
    output = tmp_path / "parts"
    onnx = write_onnx(tmp_path / "model.onnx")
    model = open_model(onnx)
    wrong = type(model)(model.info, model.config, (), b"no model")
    with pytest.raises(RuntimeError, match="cannot be read as an ONNX model"):
        extract_parts(listed(images), wrong, output, Distribution(part_size=5))
    assert not output.exists() or not list(output.iterdir())


def test_the_order_of_parts_does_not_matter(images, onnx, tmp_path):
    extract(images, onnx, tmp_path / "a", part_size=4)
    extract(images, onnx, tmp_path / "b", part_size=9)
    rows = {}
    for _, columns in iterate_parts(tmp_path / "b"):
        rows.update(zip(columns.paths, columns.features))
    a = load_features(tmp_path / "a").images
    for path, feature in zip(a.paths, a.features):
        np.testing.assert_allclose(rows[path], feature, rtol=1e-5, atol=1e-4)


def test_an_image_in_two_parts_is_read_once(images, onnx, tmp_path):
    extract(images, onnx, tmp_path / "a", part_size=4)
    extract(images, onnx, tmp_path / "b", part_size=9)
    for path in (tmp_path / "b").iterdir():
        shutil.copy(path, tmp_path / "a")
    assert load_features(tmp_path / "a").images.paths.tolist() == sorted(listed(images).paths)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "spark"}, "--engine is 'spark'"),
        ({"num_workers": 0}, "--num-gpus is 0; it must be at least 1"),
        ({"part_size": 0}, r"--part-size is 0; it must be in 1\.\.10000"),
        ({"ray_address": "host:1"}, "--ray-address needs --engine ray"),
        ({"engine": "ray", "ray_address": "127.0.0.1:1"}, "No Ray cluster answers at 127.0.0.1:1"),
    ],
)
def test_wrong_options_are_named(images, onnx, tmp_path, options, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        extract(images, onnx, tmp_path / "parts", **options)
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize(
    ("module", "engine", "message"),
    [
        ("ray.data", "ray", r'--engine ray needs Ray: pip install "ray\[data\]"'),
        ("ray", "ray", r'--engine ray needs Ray: pip install "ray\[data\]"'),
        ("pyarrow", "processes", "Parquet files need pyarrow: pip install pyarrow"),
    ],
)
def test_a_missing_package_is_named_with_its_command(
    images, onnx, tmp_path, monkeypatch, module, engine, message
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=message):
        extract(images, onnx, tmp_path / "parts", engine=engine)
    assert not (tmp_path / "parts").exists()
