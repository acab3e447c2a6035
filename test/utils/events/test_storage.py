import numpy as np
import pytest

from fastreid.utils.events import EventStorage, get_event_storage
from fastreid.utils.events.storage import MAX_WAITING


def test_the_innermost_storage_is_the_current_one():
    with pytest.raises(RuntimeError, match="There is no event storage here"):
        get_event_storage()
    with EventStorage() as outer:
        with EventStorage(5) as inner:
            assert get_event_storage() is inner
            assert inner.iter == 5
        assert get_event_storage() is outer


def test_a_storage_ends_with_its_block_after_an_error_too():
    with pytest.raises(KeyError), EventStorage():
        raise KeyError
    with pytest.raises(RuntimeError):
        get_event_storage()


def test_noisy_scalars_are_shown_as_medians_and_others_as_they_are():
    storage = EventStorage()
    for iteration, value in enumerate([1.0, 9.0, 2.0]):
        storage.iter = iteration
        storage.put_scalar("noisy", value)
        storage.put_scalar("exact", value, smoothing_hint=False)
    assert storage.latest_with_smoothing_hint(20) == {"noisy": (2.0, 2), "exact": (2.0, 2)}
    storage.iter = 3
    storage.put_scalar("noisy", 100.0)
    assert storage.latest_with_smoothing_hint(3)["noisy"] == (9.0, 3)
    assert storage.latest()["noisy"] == (100.0, 3)


def test_a_scalar_keeps_its_hint():
    storage = EventStorage()
    storage.put_scalar("loss", 1)
    with pytest.raises(ValueError, match="'loss' was put with smoothing_hint=True before"):
        storage.put_scalar("loss", 1, smoothing_hint=False)


def test_an_unknown_scalar_names_the_known_ones():
    storage = EventStorage()
    storage.put_scalar("loss", 1)
    with pytest.raises(KeyError, match=r"No scalar 'los' was put; there are \['loss'\]"):
        storage.history("los")


def test_a_name_scope_is_put_before_names_and_ends_with_its_block():
    storage = EventStorage()
    with pytest.raises(KeyError), storage.name_scope("teacher"):
        storage.put_scalar("loss", 1)
        with storage.name_scope("student/"):
            storage.put_scalars(loss=2)
            storage.put_histogram("weights", [1.0])
        storage.put_image("batch", np.zeros((1, 2, 2)))
        raise KeyError
    storage.put_scalar("loss", 3)
    assert {name: value for name, (value, _) in storage.latest().items()} == {
        "teacher/loss": 1,
        "student/loss": 2,
        "loss": 3,
    }
    assert [image.name for image in storage.images()] == ["teacher/batch"]
    assert [histogram.name for histogram in storage.histograms()] == ["student/weights"]


@pytest.mark.parametrize(
    ("pixels", "shown"),
    [
        (np.array([[0, 128, 255]], np.uint8), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]]), [0, 128, 255]),
        (np.array([[-3.0, 127.6, 300.0]], np.float32), [0, 128, 255]),
    ],
)
def test_images_are_kept_as_bytes(pixels, shown):
    storage = EventStorage(7)
    storage.put_image("row", pixels)
    (image,) = storage.images()
    assert image.image.dtype == np.uint8
    assert image.image.tolist() == [shown]
    assert image.iteration == 7


def test_an_image_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"'batch' has the shape \(4, 3, 2, 2\); it must be"):
        EventStorage().put_image("batch", np.zeros((4, 3, 2, 2)))


def test_a_histogram_counts_the_finite_values_of_an_array():
    storage = EventStorage()
    storage.put_histogram("weights", np.array([[0.0, 1.0], [2.0, np.nan]]), bins=2)
    storage.put_histogram("nothing", [np.inf])
    (histogram,) = storage.histograms()
    assert histogram.counts.tolist() == [1, 2]
    assert histogram.edges.tolist() == [0, 1, 2]
    assert (histogram.total, histogram.total_squares) == (3, 5)


def test_images_that_no_writer_takes_do_not_fill_the_memory():
    storage = EventStorage()
    for iteration in range(MAX_WAITING + 5):
        storage.iter = iteration
        storage.put_image("row", np.zeros((1, 1)))
    assert len(storage.images()) == MAX_WAITING
    assert storage.images()[0].iteration == 5


def test_a_loop_without_a_trainer_steps_the_storage():
    storage = EventStorage(3)
    storage.step()
    storage.put_scalar("loss", 1.0, False)
    assert storage.iteration == 4
    assert storage.smoothing_hints() == {"loss": False}
