import numpy as np
import pytest

from fastreid.evaluation.features import feature_table
from fastreid.evaluation.features.feature_table import FeatureTable, ImageFeatures
from fastreid.utils.labels import LabelNames


def batch(start, count, dimension=4):
    rng = np.random.RandomState(start)
    labels = np.arange(start, start + count)
    paths = np.array([f"{number}.jpg" for number in labels])
    return ImageFeatures(rng.randn(count, dimension), labels, labels % 3, paths)


def filled(**options):
    table = FeatureTable(**options)
    batches = [batch(0, 5), batch(5, 5), batch(10, 2)]
    for each in batches:
        table.add(each)
    return table, [np.concatenate(column) for column in zip(*(batch[:4] for batch in batches))]


@pytest.mark.parametrize("growth", [1, 7, 8192])
def test_batches_come_back_as_one_table(growth, monkeypatch):
    monkeypatch.setattr(feature_table, "GROWTH", growth)
    table, columns = filled(are_unit=False)
    assert len(table) == 12
    for got, want in zip(table.images(), columns):
        np.testing.assert_array_equal(got, want.astype(got.dtype))
    assert table.images().features.dtype == np.float32


def test_features_can_be_normalized_when_they_are_added():
    table, (features, *_) = filled(are_unit=True)
    want = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(table.images().features, want, rtol=1e-6)


def test_reading_the_table_does_not_copy_it():
    table, _ = filled(are_unit=False)
    first, second = table.images().features, table.images().features
    assert np.shares_memory(first, second)
    assert np.shares_memory(first, table.images().rows(slice(3, 5)).features)


def test_labels_are_kept_even_if_the_loader_writes_over_its_batch():
    table, batched = FeatureTable(are_unit=False), batch(0, 3)
    table.add(batched)
    batched.pids[:] = -1
    assert table.images().pids.tolist() == [0, 1, 2]


def test_another_dimension_is_refused_and_the_image_named():
    table, _ = filled(are_unit=False)
    with pytest.raises(
        ValueError, match="Features of 20.jpg have 5 dimensions, earlier features 4"
    ):
        table.add(batch(20, 2, dimension=5))


def test_features_that_are_not_vectors_are_refused():
    images = batch(0, 3)
    with pytest.raises(ValueError, match=r"features of shape \(3, 2, 2\)"):
        FeatureTable(are_unit=False).add(images._replace(features=np.ones((3, 2, 2))))


def test_a_table_without_images_is_empty():
    images = FeatureTable(are_unit=False).images()
    assert [len(column) for column in images[:4]] == [0, 0, 0, 0]
    assert images[4:] == (None, None)


def test_labels_keep_all_their_digits_and_others_are_refused():
    table = FeatureTable(are_unit=False)
    table.add(batch(0, 2)._replace(pids=np.array([2**62 + 1, -(2**63)])))
    table.add(batch(0, 1)._replace(pids=np.array([3], np.uint64)))
    assert table.images().pids.tolist() == [2**62 + 1, -(2**63), 3]
    with pytest.raises(ValueError, match="pid: the number 9223372036854775808 does not fit"):
        table.add(batch(0, 1)._replace(pids=np.array([2**63], np.uint64)))
    with pytest.raises(ValueError, match="camid .*0.5.* is not a whole number"):
        table.add(batch(0, 1)._replace(camids=np.array([0.5])))


def test_there_must_be_a_name_for_every_image():
    table, _ = filled(are_unit=False)
    texts = np.array(["a"] * len(table))
    named = table.images().with_names(LabelNames(texts, texts))
    assert named.rows(slice(2)).pid_names.tolist() == ["a", "a"]
    with pytest.raises(ValueError, match="12 images, but the names of 12 identities and 1 cam"):
        table.images().with_names(LabelNames(texts, texts[:1]))


def test_returned_views_do_not_change_when_batches_are_added(monkeypatch):
    monkeypatch.setattr(feature_table, "GROWTH", 1)
    table, (features, *_) = filled(are_unit=False)
    given = table.images()
    for number in range(20, 40):
        table.add(batch(number, 1))
    np.testing.assert_array_equal(given.features, features.astype(np.float32))
    np.testing.assert_array_equal(table.images().features[:12], features.astype(np.float32))
    assert len(table) == 32
