"""A small set of image files, and the jobs that tests give to data workers."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fastreid.data.common import CommDataset
from fastreid.data.pipeline.loader import ReidDataLoader
from fastreid.data.samplers import InferenceSampler, NaiveIdentitySampler
from fastreid.data.transforms import (
    ColorJitter,
    Compose,
    RandomErasing,
    RandomHorizontalFlip,
    Resize,
    ToTensor,
)

SIZE = (32, 16)


def write_items(folder: Path, num_identities: int = 8, images_each: int = 3) -> list[tuple]:
    rng = np.random.default_rng(0)
    items = []
    for pid, number in itertools.product(range(num_identities), range(images_each)):
        path = folder / f"{pid}_{number}.png"
        Image.fromarray(rng.integers(0, 256, (40, 20, 3), dtype=np.uint8)).save(path)
        items.append((str(path), f"A_{pid}", f"A_{number}"))
    return items


def augmentation() -> Compose:
    jitter = ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.1)
    erasing = RandomErasing(prob=0.5, value=(1.5, 2.5, 3.5))
    return Compose([Resize(SIZE), RandomHorizontalFlip(), jitter, ToTensor(), erasing])


def train_loader(items: list[tuple], pool, **options) -> ReidDataLoader:
    sampler = NaiveIdentitySampler(items, 8, num_instances=2, seed=3)
    options.setdefault("transforms", augmentation())
    return ReidDataLoader(
        CommDataset(items, domains=["A"]), sampler, batch_size=8, pool=pool, seed=5, **options
    )


def test_loader(items: list[tuple], pool, batch_size: int = 10, **options) -> ReidDataLoader:
    options.setdefault("transforms", Compose([Resize(SIZE), ToTensor()]))
    numbered = [(path, number // 3, number % 3) for number, (path, _, _) in enumerate(items)]
    return ReidDataLoader(
        CommDataset(numbered, relabel=False),
        InferenceSampler(len(items)),
        batch_size=batch_size,
        pool=pool,
        **options,
    )


# pytest would take it for a test where it is imported.
test_loader.__test__ = False


# Background jobs of a shell ignore Ctrl-C, and what they start does so too.
HEARS_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


@contextlib.contextmanager
def scripts_that_end(folder: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Give a function that starts scripts of this text; none outlives the block."""
    started = []

    def start(text: str, *args: str) -> subprocess.Popen:
        script = folder / "script.py"
        script.write_text(HEARS_CTRL_C + text)
        started.append(_start_script(script, *args))
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            # The whole session: workers that lost their main process too.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _start_script(script: Path, *args: str) -> subprocess.Popen:
    """Run a script as a user would, in a session of its own, which Ctrl-C can reach."""
    search_path = [str(Path.cwd()), *filter(None, sys.path)]
    return subprocess.Popen(
        [sys.executable, str(script), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path)},
        start_new_session=True,
    )


def take(batches, count: int) -> list[dict]:
    return list(itertools.islice(batches, count))


def assert_same_batches(got: list[dict], expected: list[dict]) -> None:
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])


def loaded_modules() -> list[str]:
    return sorted(sys.modules)


def fail() -> None:
    raise KeyError("lost")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


class Broken:
    """A transform with a bug."""

    def __call__(self, image, rng):
        raise ZeroDivisionError("half of nothing")


class Slow:
    """A transform that takes its time."""

    def __call__(self, image, rng):
        time.sleep(0.1)
        return np.zeros((3, *SIZE), np.float32)


class BlackToHalves:
    """A transform of arrays that turns black images into fractions."""

    def __call__(self, image, rng):
        return image if image.any() else np.full(image.shape, 1.5, np.float32)


class Deadly:
    """A transform that ends its process, as the system does when memory runs out."""

    def __call__(self, image, rng):
        die()
