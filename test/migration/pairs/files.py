"""Files of weights, data, devices and random numbers."""

import argparse
from pathlib import Path

import mindspore as ms
import numpy as np
import torch
from mindspore import nn
from mindspore.dataset import GeneratorDataset

from fastreid.utils.checkpoint.weights import load_weights
from fastreid.utils.checkpoint.weights_file import read_torch_weights
from test.migration.pair import Chapter, Verdict

FILES = Chapter("Files, data and devices")


class Numbers:
    """A data set of six numbers."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return np.float32(index)


class Batches:
    """Two batches of three indices."""

    def __len__(self):
        return 2

    def __iter__(self):
        yield from ([0, 2, 4], [1, 3, 5])


def rows_of(dataset):
    return [row[0] for row in dataset.create_tuple_iterator(output_numpy=True, num_epochs=1)]


def is_refused(function, *arguments):
    try:
        function(*arguments)
    except (RuntimeError, ValueError):
        return True
    return False


def devices_from_command_line():
    """What the guide counts: an option of the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--num-gpus", type=int, default=1)
    return parser.parse_args(["--num-gpus", "2", "--resume"]).num_gpus


@FILES.program(
    guide=35,
    verdict=Verdict.RIGHT,
    trap_error="file format must same",
    differs="`load_checkpoint` cannot read files of PyTorch, as the guide says. Our reader can, "
    "without PyTorch.",
)
class Loading:
    def pytorch():
        torch.save({"weight": torch.arange(3.0)}, "model.pth")
        return torch.load("model.pth", map_location=torch.device("cpu"))

    def mindspore():
        torch.save({"weight": torch.arange(3.0)}, "model.pth")
        return read_torch_weights(Path("model.pth"))

    def trap():
        torch.save({"weight": torch.arange(3.0)}, "model.pth")
        return ms.load_checkpoint("model.pth")


@FILES.program(
    guide=64,
    verdict=Verdict.RIGHT,
    differs="A name in `.pth` gets `.ckpt` behind it. The file is read-only, and an existing one "
    "is deleted before the new one is written.",
)
class Saving:
    def pytorch():
        torch.save(torch.nn.Linear(4, 3).state_dict(), "net.pth")
        return Path("net.pth").exists()

    def mindspore():
        ms.save_checkpoint(nn.Dense(4, 3), "net.ckpt")
        return Path("net.ckpt").exists()

    def trap():
        Path("net.pth").unlink(missing_ok=True)
        ms.save_checkpoint(nn.Dense(4, 3), "net.pth")
        return Path("net.pth").exists()


@FILES.program(
    differs="`load_param_into_net` only warns of missing names. Ours is strict.",
)
class StrictLoading:
    def pytorch():
        return is_refused(torch.nn.Linear(4, 3).load_state_dict, {"bias": torch.zeros(3)})

    def mindspore():
        return is_refused(load_weights, nn.Dense(4, 3), {"bias": np.zeros(3, np.float32)})

    def trap():
        weights = {"bias": ms.Parameter(ms.Tensor(np.zeros(3, np.float32)), name="bias")}
        return is_refused(ms.load_param_into_net, nn.Dense(4, 3), weights)


@FILES.program(
    guide=42,
    verdict=Verdict.CHANGED,
    differs="The guide has no counterpart. Since then `GeneratorDataset` takes a `batch_sampler`; "
    "an infinite one hangs.",
)
class BatchSampler:
    def pytorch():
        return list(torch.utils.data.DataLoader(Numbers(), batch_sampler=Batches()))

    def mindspore():
        return rows_of(GeneratorDataset(Numbers(), ["x"], batch_sampler=Batches()))


@FILES.program(
    guide=43,
    verdict=Verdict.RIGHT,
    differs="It does not batch by itself, and shuffles unless it is told not to. A worker that is "
    "killed ends or hangs the program.",
)
class DataLoader:
    def pytorch():
        return list(torch.utils.data.DataLoader(Numbers(), batch_size=3))

    def mindspore():
        return rows_of(GeneratorDataset(Numbers(), ["x"], shuffle=False).batch(3))

    def trap():
        return rows_of(GeneratorDataset(Numbers(), ["x"], shuffle=False))


@FILES.program(
    guide=61,
    verdict=Verdict.WRONG,
    trap_error="2",
    differs="The guide reads an option of the program, not the devices, and the program ends where "
    "it has other options. In a job of several processes: `get_group_size()`.",
)
class DeviceCount:
    def pytorch():
        return torch.cuda.device_count() >= 0

    def mindspore():
        return ms.hal.device_count() >= 0

    def trap():
        return devices_from_command_line()


@FILES.program(
    differs="The draws differ, and operators that draw have states on CPU that `get_rng_state` "
    "does not give.",
)
class Seed:
    def pytorch():
        torch.manual_seed(5)
        first = torch.randn(3)
        torch.manual_seed(5)
        return torch.equal(first, torch.randn(3))

    def mindspore():
        ms.set_seed(5)
        first = ms.ops.randn(3)
        ms.set_seed(5)
        return bool((first == ms.ops.randn(3)).all())
