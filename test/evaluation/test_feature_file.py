import numpy as np
import pytest

from fastreid.evaluation import FeatureCollector, load_features, save_features


def batch(*numbers):
    return {
        "targets": np.array(numbers),
        "camids": np.array(numbers) % 2,
        "img_paths": np.array([f"{number}.jpg" for number in numbers]),
    }


@pytest.fixture
def features():
    collector = FeatureCollector(num_query=1, name="Toy")
    collector.process(batch(3, 4), np.array([[1.0, 2], [3, 4]]))
    collector.process(batch(50), np.array([[5.0, 6]]))
    return collector.evaluate()._replace(config="SEED: 1")


def test_what_is_saved_is_loaded(features, tmp_path):
    save_features(tmp_path / "deep" / "f.npz", features)
    loaded = load_features(tmp_path / "deep" / "f.npz")
    assert loaded[1:] == features[1:] == (1, "Toy", "SEED: 1")
    for got, want in zip(loaded.images, features.images):
        np.testing.assert_array_equal(got, want)
    assert loaded.query.paths.tolist() == ["3.jpg"]
    assert loaded.gallery.pids.tolist() == [4, 50]


def test_a_collector_can_be_reset():
    collector = FeatureCollector()
    collector.process(batch(3), np.ones((1, 2)))
    collector.reset()
    assert len(collector.evaluate().images.pids) == 0


def test_another_ending_is_refused(features, tmp_path):
    with pytest.raises(ValueError, match="end with .npz, unlike .*f.npy"):
        save_features(tmp_path / "f.npy", features)


def test_files_that_are_no_feature_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no feature file .*none.npz; make it with tools"):
        load_features(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match="text.npz is no feature file"):
        load_features(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", features=np.ones((2, 2)), pids=np.ones(2))
    with pytest.raises(ValueError, match="other.npz is no feature file: it lacks camids, paths"):
        load_features(tmp_path / "other.npz")
    np.savez(tmp_path / "objects.npz", features=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="objects.npz is no feature file"):
        load_features(tmp_path / "objects.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.full((2, 2), np.nan)}, "broken.npz: Features of 2 of 2 .* not finite"),
        ({"features": np.array([[0.0, 0], [1, 1]])}, "broken.npz: Features of 1 .* are zero"),
        ({"pids": np.ones(3)}, "broken.npz: A batch must have one .*'pids': 3"),
        ({"num_query": 3}, "broken.npz: num_query is 3, but there are 2 images"),
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
