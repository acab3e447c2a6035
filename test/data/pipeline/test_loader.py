import itertools
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import mindspore.dataset
import numpy as np
import pytest
from PIL import Image

from fastreid.data.common import BATCH_COLUMNS, CommDataset
from fastreid.data.data_utils import ImageError
from fastreid.data.pipeline.loader import ReidDataLoader
from fastreid.data.pipeline.shards import Shard, contiguous_shard_rows
from fastreid.data.pipeline.workers import WorkerError, WorkerPool
from fastreid.data.samplers import NaiveIdentitySampler
from fastreid.data.transforms import Compose, RandomPatch, Resize, ToTensor
from test.data import pipeline_case as case


@pytest.fixture
def items(tmp_path):
    return case.write_items(tmp_path)


@pytest.fixture
def loaders(items):
    """Make training loaders that are closed when the test ends."""
    made = []

    def make(num_workers=0, **options):
        made.append(case.train_loader(items, WorkerPool(num_workers), **options))
        return made[-1]

    yield make
    for loader in made:
        loader.close()


def test_a_batch_holds_what_the_sampler_drew(items, loaders):
    loader = loaders()
    indices = list(itertools.islice(NaiveIdentitySampler(items, 8, num_instances=2, seed=3), 16))
    for batch, drawn in zip(case.take(loader, 2), (indices[:8], indices[8:])):
        assert tuple(batch) == BATCH_COLUMNS
        assert batch["img_paths"].tolist() == [items[index][0] for index in drawn]
        assert batch["targets"].tolist() == [int(items[i][1].split("_")[1]) for i in drawn]
        assert batch["camids"].tolist() == [int(items[i][2].split("_")[1]) for i in drawn]
        assert batch["domainids"].tolist() == [0] * 8


@pytest.mark.parametrize("num_workers", [0, 1])
def test_names_that_are_not_utf8_are_passed_through(items, num_workers):
    named = []
    for path, pid, camid in items:
        other = Path(path).with_name(os.fsdecode(b"\xc4\xe3" + os.fsencode(Path(path).name)))
        Path(path).rename(other)
        named.append((str(other), pid, camid))
    with case.train_loader(named, WorkerPool(num_workers)) as loader:
        batch = next(iter(loader))
    assert set(batch["img_paths"].tolist()) <= {path for path, _, _ in named}
    os.truncate(named[0][0], 0)
    listed = [(path, 0, 0) for path, _, _ in named]
    loader = case.test_loader(listed, WorkerPool(num_workers))
    with loader, pytest.raises(ImageError) as raised:
        next(iter(loader))
    assert named[0][0] in str(raised.value)


def test_columns_have_the_agreed_types(loaders):
    batch = next(iter(loaders()))
    assert batch["images"].shape == (8, 3, *case.SIZE)
    assert batch["images"].dtype == np.float32
    for name in ("targets", "camids", "domainids"):
        assert batch[name].dtype == np.int32
        assert batch[name].shape == (8,)
    assert batch["img_paths"].dtype.kind == "U"


def test_images_arrive_as_they_are_in_the_files(items):
    with case.test_loader(items, WorkerPool(0)) as loader:
        (first, *_) = loader
    with Image.open(items[3][0]) as image:
        expected = np.asarray(image.resize((16, 32), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(first["images"][3], expected.transpose(2, 0, 1))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_batches_of_bytes_of_fractions_and_of_both_are_float32(tmp_path, num_workers):
    for name in ("black", "white"):
        Image.new("RGB", (8, 8), name).save(tmp_path / f"{name}.png")
    names = ["white"] * 40 + ["black", *["white"] * 39] + ["black"] * 40
    items = [(str(tmp_path / f"{name}.png"), 0, 0) for name in names]
    transforms = Compose([ToTensor(dtype=np.uint8), case.BlackToHalves()])
    pool = WorkerPool(num_workers)
    with case.test_loader(items, pool, batch_size=40, transforms=transforms) as loader:
        images = [batch["images"] for batch in loader]
    assert [array.dtype for array in images] == [np.float32] * 3
    means = np.concatenate(images).mean(axis=(1, 2, 3)).tolist()
    assert means == [255.0 if name == "white" else 1.5 for name in names]


@pytest.mark.parametrize("batch_transform", [None, RandomPatch(prob=0.5)])
def test_results_do_not_depend_on_the_number_of_workers(loaders, batch_transform):
    batches = [
        case.take(loaders(number, batch_transform=batch_transform), 7) for number in (0, 1, 2)
    ]
    case.assert_same_batches(batches[1], batches[0])
    case.assert_same_batches(batches[2], batches[0])


def test_an_image_that_is_drawn_again_is_augmented_differently(loaders):
    seen = {}
    for batch in case.take(loaders(), 20):
        for path, image in zip(batch["img_paths"].tolist(), batch["images"]):
            seen.setdefault(path, []).append(image)
    for images in seen.values():
        assert len(images) > 1
        assert not np.array_equal(images[0], images[1])


def test_two_streams_augment_differently(loaders):
    one, other = (next(iter(loaders(stream=stream))) for stream in (0, 1))
    assert one["img_paths"].tolist() == other["img_paths"].tolist()
    assert not np.array_equal(one["images"], other["images"])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_seeking_equals_skipping_batches(loaders, num_workers):
    expected = case.take(loaders(), 6)
    loader = loaders(num_workers)
    loader.seek(4)
    assert loader.position == 4
    case.assert_same_batches(case.take(loader, 2), expected[4:])
    assert loader.position == 6


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_sampler_state_avoids_drawing_earlier_passes_again(items, loaders, num_workers):
    """24 images a pass: position 8 is in the third one or later; batches were made ahead."""
    expected = case.take(loaders(), 16)
    first = loaders(2 - num_workers)
    case.take(first, 8)
    state = json.loads(json.dumps(first.sampler_state))
    assert 24 < state["index"] <= 64
    second = loaders(num_workers)
    second.seek(first.position, sampler_state=state)
    assert second.sampler_state == state
    drawn = []
    draw = second.sampler.draw
    second.sampler.draw = lambda start, history: (
        drawn.append(history.initial) or draw(start, history)
    )
    case.assert_same_batches(case.take(second, 4), expected[8:12])
    assert [initial.start for initial in drawn] == [state["index"]]
    # Iterating again goes on from a later one.
    case.assert_same_batches(case.take(second, 4), expected[12:])
    assert drawn[1].start > drawn[0].start


def test_a_sampler_state_can_be_used_by_another_number_of_processes(loaders):
    one = loaders()
    case.take(one, 8)
    expected = case.take(one, 2)
    alone = loaders()
    case.take(alone, 8)
    parts = []
    for rank in range(2):
        half = loaders(shard_rows=contiguous_shard_rows(8, Shard(rank, 2)))
        half.seek(8, sampler_state=alone.sampler_state)
        parts.append(case.take(half, 2))
    for whole, *halves in zip(expected, *parts):
        for name, column in whole.items():
            np.testing.assert_array_equal(np.concatenate([h[name] for h in halves]), column)


def test_a_sampler_state_of_a_later_position_is_rejected(loaders):
    loader = loaders()
    case.take(loader, 8)
    with pytest.raises(ValueError, match="sampler state at image .* is after batch 1 of 8 images"):
        loaders().seek(1, sampler_state=loader.sampler_state)
    with pytest.raises(ValueError, match="state of a sampler is damaged"):
        loaders().seek(8, sampler_state={"index": 8})


def test_position_counts_the_given_batches_and_iterating_again_continues(loaders):
    expected = case.take(loaders(), 5)
    loader = loaders()
    assert loader.position == 0
    got = case.take(loader, 2)
    time.sleep(0.1)
    assert loader.position == 2
    got += case.take(loader, 3)
    case.assert_same_batches(got, expected)


def test_seeking_is_rejected_while_iterating_and_for_finite_loaders(items, loaders):
    loader = loaders()
    batches = iter(loader)
    next(batches)
    with pytest.raises(RuntimeError, match="seek.. must be called before"):
        loader.seek(3)
    with pytest.raises(ValueError, match="An endless loader cannot start at batch -1"):
        loader.seek(-1)
    finite = case.test_loader(items, WorkerPool(0))
    with finite, pytest.raises(ValueError, match="A finite loader cannot start at batch 2"):
        finite.seek(2)


def test_test_labels_of_64_bits_come_through_the_pipeline(items):
    far = [2**63 - 1 - number * 2**32 for number in range(len(items))]
    numbered = [(path, number, -number) for (path, _, _), number in zip(items, far)]
    loader = ReidDataLoader(
        CommDataset(numbered, relabel=False),
        range(len(items)),
        batch_size=10,
        pool=WorkerPool(0),
        transforms=Compose([Resize(case.SIZE), ToTensor()]),
    )
    with loader:
        batches = list(loader)
    assert np.concatenate([batch["targets"] for batch in batches]).tolist() == far
    assert np.concatenate([batch["camids"] for batch in batches]).tolist() == [-n for n in far]


def test_a_finite_loader_gives_all_images_in_every_iteration(items):
    with case.test_loader(items, WorkerPool(0)) as loader:
        assert len(loader) == 3
        case.take(loader, 1)
        for _ in range(2):
            batches = list(loader)
            assert [len(batch["targets"]) for batch in batches] == [10, 10, 4]
            paths = [path for batch in batches for path in batch["img_paths"].tolist()]
            assert paths == [item[0] for item in items]
            assert loader.position == 3


def test_an_endless_loader_has_no_length(loaders):
    with pytest.raises(TypeError, match="endless"):
        len(loaders())


def test_loaders_share_a_pool_until_the_last_is_closed(items):
    pool = WorkerPool(1)
    with case.test_loader(items, pool) as test:
        with case.train_loader(items, pool) as train:
            first = next(iter(train))
            assert len(list(test)) == 3
            assert pool.pids
        assert len(list(test)) == 3
        assert first["targets"].shape == (8,)
    assert pool.pids == []


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_image_is_one_error_that_names_it(items, loaders, num_workers):
    Path(items[5][0]).write_bytes(b"no image")
    with pytest.raises(ImageError, match=f"^Image file {items[5][0]} cannot be read") as caught:
        case.take(loaders(num_workers), 30)
    if num_workers:
        assert "in a data worker:\nTraceback" in str(caught.value.__cause__)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_transform_that_fails_names_the_image(items, loaders, num_workers):
    message = r"Image file .*_\d.png cannot be augmented: ZeroDivisionError: half of nothing"
    with pytest.raises(ImageError, match=message):
        next(iter(loaders(num_workers, transforms=case.Broken())))


def test_batches_before_an_unreadable_image_are_given(items, loaders):
    expected = case.take(loaders(), 3)
    last = set(expected[2]["img_paths"]) - {p for b in expected[:2] for p in b["img_paths"]}
    Path(min(last)).unlink()
    batches = iter(loaders())
    case.assert_same_batches(case.take(batches, 2), expected[:2])
    with pytest.raises(ImageError, match="does not exist"):
        next(batches)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_unreadable_image_may_be_skipped_for_the_next_of_its_identity(
    items, loaders, num_workers, caplog
):
    expected = case.take(loaders(), 8)
    # Two of the three images of identity 1: what is left stands for both.
    for path, _, _ in items[3:5]:
        Path(path).write_bytes(b"no image")
    loader = loaders(num_workers, skip_unreadable=True)
    got = case.take(loader, 8)
    stand_in = {items[3][0]: items[5][0], items[4][0]: items[5][0]}
    for ours, theirs in zip(got, expected):
        wanted = [stand_in.get(path, path) for path in theirs["img_paths"].tolist()]
        assert ours["img_paths"].tolist() == wanted
        np.testing.assert_array_equal(ours["targets"], theirs["targets"])
        camera_of = {path: int(camid.split("_")[1]) for path, _, camid in items}
        assert ours["camids"].tolist() == [camera_of[path] for path in wanted]
        kept = [row for row, path in enumerate(theirs["img_paths"]) if path not in stand_in]
        np.testing.assert_array_equal(ours["images"][kept], theirs["images"][kept])
    assert sum(path in stand_in for batch in expected for path in batch["img_paths"]) > 1
    again = loaders(1, skip_unreadable=True)
    case.assert_same_batches(case.take(again, 8), got)
    loader.close()
    assert caplog.text.count(f"{items[3][0]} cannot be read") == 2
    assert "files skipped so far: 2" in caplog.text
    assert "2 unreadable image files were replaced," in caplog.text


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_identity_without_a_readable_image_ends_the_run(items, loaders, num_workers):
    for path, _, _ in items[3:6]:
        Path(path).unlink()
    with pytest.raises(ImageError, match=r"1_\d.png does not exist. No other image of its"):
        case.take(loaders(num_workers, skip_unreadable=True), 30)


def test_a_transform_that_fails_is_not_skipped(loaders):
    with pytest.raises(ImageError, match="cannot be augmented"):
        next(iter(loaders(1, transforms=case.Broken(), skip_unreadable=True)))


def test_a_worker_that_dies_is_an_error_within_seconds(loaders):
    started = time.monotonic()
    with pytest.raises(WorkerError, match="killed by SIGKILL.*NUM_WORKERS"):
        next(iter(loaders(1, transforms=case.Deadly())))
    assert time.monotonic() - started < 5


def test_a_worker_killed_between_batches_is_an_error(loaders):
    loader = loaders(2)
    batches = iter(loader)
    next(batches)
    os.kill(loader.pool.pids[0], signal.SIGKILL)
    with pytest.raises(WorkerError, match="killed by SIGKILL"):
        case.take(batches, 100)


def test_transforms_that_cannot_be_sent_to_a_worker_are_an_error(loaders):
    with pytest.raises((AttributeError, TypeError), match="pickle"):
        next(iter(loaders(1, transforms=lambda image, rng: image)))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_closing_is_quick_while_batches_are_being_made(loaders, num_workers):
    loader = loaders(num_workers, transforms=case.Slow())
    batches = iter(loader)
    next(batches)
    started = time.monotonic()
    loader.close()
    loader.close()
    assert time.monotonic() - started < 1
    assert list(batches) == []
    with pytest.raises(RuntimeError, match="closed"):
        iter(loader)


def test_mindspore_settings_are_left_as_they_were(loaders):
    before = mindspore.dataset.config.get_prefetch_size()
    next(iter(loaders()))
    assert mindspore.dataset.config.get_prefetch_size() == before


def test_few_batches_are_made_ahead(loaders):
    loader = loaders(1)
    submitted = []
    submit = loader.pool.submit
    loader.pool.submit = lambda *args: submitted.append(args) or submit(*args)
    batches = iter(loader)
    next(batches)
    time.sleep(0.3)
    rows = sum(len(args[2]) for args in submitted)
    assert rows <= 8 * 7


def test_the_next_batch_is_loaded_while_the_reader_is_busy(items):
    loaded = threading.Semaphore(0)

    def count(image, _rng):
        loaded.release()
        return image

    transforms = Compose([Resize(case.SIZE), count, ToTensor()])
    with case.test_loader(items, WorkerPool(0), batch_size=4, transforms=transforms) as loader:
        batches = iter(loader)
        for number in range(1, len(loader)):
            next(batches)
            # The images of this batch and of the next one are asked for before the next batch is.
            wanted = min(4, len(items) - 4 * number) + (4 if number == 1 else 0)
            assert all(loaded.acquire(timeout=30) for _ in range(wanted))


SCRIPT = """
import sys
from pathlib import Path
from test.data import pipeline_case as case
from fastreid.data.pipeline.workers import WorkerPool

items = case.write_items(Path(sys.argv[1]))
loader = case.train_loader(items, WorkerPool(2), transforms={transforms})
batches = iter(loader)
{steps}
print("ready", flush=True)
{ending}
"""


@pytest.fixture
def start_script(tmp_path):
    """Start scripts, which end with the test."""
    with case.scripts_that_end(tmp_path) as start:

        def begin(**parts) -> subprocess.Popen:
            text = SCRIPT.format(**{"transforms": "case.augmentation()", **parts})
            process = start(text, str(tmp_path))
            assert process.stdout.readline() == "ready\n", process.stderr.read()
            return process

        yield begin


def test_a_script_that_ends_while_iterating_an_endless_loader_ends_cleanly(start_script):
    process = start_script(steps="next(batches)", ending="")
    started = time.monotonic()
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert time.monotonic() - started < 4


def test_ctrl_c_while_waiting_for_a_batch_ends_the_script(start_script):
    # The loader imports MindSpore when it starts: Ctrl-C is to meet the wait, not the import.
    steps, ending = "import mindspore.dataset", "for _ in batches: pass"
    process = start_script(transforms="case.Slow()", steps=steps, ending=ending)
    time.sleep(2.5)
    os.killpg(process.pid, signal.SIGINT)
    started = time.monotonic()
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert errors.count("Traceback") <= 1
    assert time.monotonic() - started < 5
