import os
from pathlib import Path

import numpy as np
import pytest

from fastreid.evaluation import FeatureCollector, load_features, save_features
from fastreid.utils.labels import LabelNames


def batch(*numbers):
    return {
        "targets": np.array(numbers),
        "camids": np.array(numbers) % 2,
        "img_paths": np.array([f"{number}.jpg" for number in numbers]),
    }


@pytest.fixture
def features():
    names = LabelNames(np.array(["003", "4", "anna"]), np.array(["1", "0", "the hall"]))
    collector = FeatureCollector(num_query=1, name="Toy", label_names=names)
    collector.process(batch(3, 4), np.array([[1.0, 2], [3, 4]]))
    collector.process(batch(50), np.array([[5.0, 6]]))
    return collector.evaluate()._replace(config="SEED: 1")


def test_what_is_saved_is_loaded(features, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_features(tmp_path / "deep" / "f.npz", features)
    loaded = load_features(tmp_path / "deep" / "f.npz")
    assert loaded[1:] == features[1:] == (1, "Toy", "SEED: 1")
    for name, want in features.images._asdict().items():
        if name != "paths":
            np.testing.assert_array_equal(getattr(loaded.images, name), want)
    assert loaded.gallery.pids.tolist() == [4, 50]
    assert loaded.gallery.pid_names.tolist() == ["4", "anna"]
    assert loaded.query.camid_names.tolist() == ["1"]


def test_paths_are_stored_as_absolute_paths(features, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    absolute = features.images._replace(paths=np.array(["3.jpg", "../4.jpg", "/a/50.jpg"]))
    save_features("f.npz", features._replace(images=absolute))
    monkeypatch.chdir(tmp_path)
    paths = load_features("there/f.npz").images.paths.tolist()
    assert paths == [f"{tmp_path}/there/3.jpg", f"{tmp_path}/4.jpg", "/a/50.jpg"]


def test_a_file_without_names_is_loaded_as_before(features, tmp_path):
    save_features(tmp_path / "f.npz", features._replace(images=features.images.with_names(None)))
    with np.load(tmp_path / "f.npz") as file:
        old = {name: file[name] for name in file.files if not name.endswith("_names")}
    np.savez(tmp_path / "old.npz", **old)
    loaded = load_features(tmp_path / "old.npz").images
    assert loaded.pids.tolist() == [3, 4, 50]
    assert (loaded.pid_names, loaded.camid_names) == (None, None)


def test_labels_may_be_texts_or_64_bit_numbers(tmp_path):
    columns = {
        "features": np.ones((4, 2)),
        "pids": np.array(["10", "010", "anna", str(2**63 - 1)]),
        "camids": np.array([1, 2, 3, 2**62]),
        "paths": np.array(list("abcd")),
    }
    np.savez(tmp_path / "own.npz", **columns)
    images = load_features(tmp_path / "own.npz").images
    assert images.pids.tolist() == [10, 10, 0, 2**63 - 1]
    assert images.camids.tolist() == [1, 2, 3, 2**62]
    assert images.pid_names.tolist() == columns["pids"].tolist()
    assert images.camid_names.tolist() == ["1", "2", "3", str(2**62)]


def test_names_that_are_not_utf8_stay(tmp_path):
    name = os.fsdecode(b"\xc4\xe3.jpg")
    collector = FeatureCollector(name=name)
    collector.process({**batch(3), "img_paths": np.array([name])}, np.ones((1, 2)))
    save_features(tmp_path / "f.npz", collector.evaluate())
    loaded = load_features(tmp_path / "f.npz")
    assert (loaded.images.paths.tolist(), loaded.name) == ([str(Path(name).absolute())], name)


def test_a_collector_can_be_reset():
    collector = FeatureCollector()
    collector.process(batch(3), np.ones((1, 2)))
    collector.reset()
    assert len(collector.evaluate().images.pids) == 0


def test_the_ending_may_be_in_upper_case(features, tmp_path):
    save_features(tmp_path / "F.NPZ", features)
    assert [path.name for path in tmp_path.iterdir()] == ["F.NPZ"]
    assert load_features(tmp_path / "F.NPZ").num_query == features.num_query


def test_another_ending_is_refused(features, tmp_path):
    with pytest.raises(ValueError, match="must end with .npz: .*f.npy"):
        save_features(tmp_path / "f.npy", features)


def test_files_that_are_not_feature_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no feature file .*none.npz; create it with tools"):
        load_features(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match="text.npz is not a feature file"):
        load_features(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", features=np.ones((2, 2)), pids=np.ones(2))
    with pytest.raises(ValueError, match="other.npz is not a feature file: it lacks camids, paths"):
        load_features(tmp_path / "other.npz")
    np.savez(tmp_path / "objects.npz", features=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="objects.npz is not a feature file"):
        load_features(tmp_path / "objects.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.full((2, 2), np.nan)}, "broken.npz: Features of 2 of 2 .* not finite"),
        ({"features": np.array([[0.0, 0], [1, 1]])}, "broken.npz: Features of 1 .* are zero"),
        ({"pids": np.ones(3)}, "broken.npz: A batch must have one .*'pids': 3"),
        ({"num_query": 3}, "broken.npz: num_query is 3, but there are 2 images"),
        (
            {"pids": np.array([1, 2**63], np.uint64)},
            "broken.npz: pids: the number 9223372036854",
        ),
        ({"pids": np.array(["1", "9" * 20])}, "broken.npz: pids: the number 9{20} does not"),
        ({"pids": np.array(["1", ""])}, "broken.npz: pids: the label is empty"),
        ({"pids": np.ones((2, 1))}, r"pids has the shape \(2, 1\); it must have 1 dimension\."),
        ({"pid_names": np.array("a")}, "pid_names is a single value"),
        ({"features": np.ones(2)}, r"features has the shape \(2,\); it must have 2 dimensions"),
        ({"features": np.ones((2, 2), complex)}, "features holds complex128, not numbers"),
        ({"features": np.ones((0, 2))}, "broken.npz has no features"),
        ({"paths": np.array([b"a", b"b"])}, r"paths holds \|S1, not texts"),
        ({"camids": np.array([1.5, 2])}, "broken.npz: camids .*1.5.* is not a whole number"),
        ({"pid_names": np.array(["a"])}, "broken.npz: There are 2 images, but the names of 1 id"),
    ],
)
def test_broken_features_are_refused_and_the_file_named(tmp_path, change, message):
    whole = {
        "features": np.ones((2, 2)),
        "pids": np.ones(2),
        "camids": np.ones(2),
        "paths": np.array(["a", "b"]),
        "num_query": 1,
    }
    np.savez(tmp_path / "broken.npz", **{**whole, **change})
    with pytest.raises(ValueError, match=message):
        load_features(tmp_path / "broken.npz")
