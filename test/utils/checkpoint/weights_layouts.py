"""Layouts of weights files of other programs; docs/weights.md has the same table."""

import argparse
import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import nn

from fastreid.utils.checkpoint import Checkpointer
from fastreid.utils.checkpoint.names import export_weights
from fastreid.utils.checkpoint.weights_file import write_weights
from test.utils.checkpoint.pth_files import Call, Plain, tensor, torch_file

NESTS = (
    *("model", "state_dict", "model_state", "net", "model_ema", "model_state_dict", "ema"),
    *("teacher", "student", "network", "module", "params", "params_ema"),
)


class Net(nn.Cell):
    """A small model with a norm."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Dense(2, 3)
        self.norm = nn.BatchNorm1d(3)


class Layout(NamedTuple):
    """A layout: its name in the table, a function that writes a file, and the expected message."""

    name: str
    write: Callable
    outcome: str = "loads"


def optimizer_state():
    return {"state": {0: {"momentum_buffer": np.zeros(3)}}, "param_groups": [{"lr": 0.1}]}


def prefixed(weights, start):
    return {f"{start}{name}": value for name, value in weights.items()}


def changed(weights):
    return {name: value + 1 for name, value in weights.items()}


def saved(name, content_of, **options):
    """Make a function that writes a torch file with content made from the weights."""
    return lambda folder, weights: torch_file(folder / name, content_of(weights), **options)


def fast_reid(weights):
    """The content of a file of fast-reid's Checkpointer."""
    return {
        "model": weights,
        "optimizer": optimizer_state(),
        "scheduler": {"milestones": Counter([40, 90]), "gamma": 0.1},
        "epoch": 3,
        "best": np.float64(0.25),
        "args": argparse.Namespace(root=PurePosixPath("x")),
    }


def lightning(weights):
    """The content of a PyTorch Lightning file of a module with the network as `model`."""
    settings = Call("pytorch_lightning.utilities.parsing AttributeDict", items={"lr": 0.1})
    return {
        "state_dict": {**prefixed(weights, "model."), "loss.centers": np.zeros((4, 3))},
        "hyper_parameters": settings,
        "optimizer_states": [optimizer_state()],
        "callbacks": {"ModelCheckpoint": {"best_model_path": "a.ckpt"}},
        "pytorch-lightning_version": "2.4.0",
    }


def with_average(weights):
    average = Call("timm.utils ModelEmaV2", state={"module": Call("reid Net"), "decay": 0.99})
    return {"model": weights, "ema": average}


def plain_pickle(folder, weights):
    path = folder / "numpy.pkl"
    path.write_bytes(pickle.dumps({"model": weights, "__author__": "somebody"}))
    return path


def safetensors(folder, weights):
    write_weights(folder / "w.safetensors", weights)
    return folder / "w.safetensors"


def safetensors_as_pth(folder, weights):
    return safetensors(folder, weights).rename(folder / "w.pth")


def own(folder, weights):
    model = Net()
    for parameter in model.get_parameters():
        ms.ops.assign(parameter, ms.Tensor(by_own_name(weights)[parameter.name]))
    Checkpointer(model, folder).save("model_final", epoch=3)
    return folder / "model_final.ckpt"


def by_own_name(weights):
    model = Net()
    names = dict(zip(export_weights(model), (p.name for p in model.get_parameters())))
    return {names[name]: value for name, value in weights.items()}


def mindspore(start="", suffix="ckpt", **beside):
    """Write a file with mindspore.save_checkpoint."""

    def write(folder, weights):
        entries = prefixed(by_own_name(weights), start)
        for owner in ("moments", "accum"):
            entries.update(prefixed(entries, f"{owner}.") if "state" in beside else {})
        numbers = {key: value for key, value in beside.items() if key != "state"}
        saved_as = [{"name": name, "data": ms.Tensor(value)} for name, value in entries.items()]
        path = folder / f"plain.{suffix}"
        ms.save_checkpoint(saved_as, str(path), append_dict=numbers or None, format=suffix)
        return path

    return write


LOADED = [
    Layout("state dict alone, zip", saved("w.pth", dict)),
    Layout("state dict alone, legacy layout", saved("w.pth", dict, layout="legacy")),
    Layout("OrderedDict with `_metadata`", saved("w.pt", OrderedDict)),
    Layout("pickled with protocol 5", saved("w.pth", dict, protocol=5)),
    Layout("no suffix", saved("weights", dict)),
    Layout("`.bin`, `.pyth`, `.t7`, `.tar` by name, of torch by content", saved("w.t7", dict)),
    Layout("fast-reid: `model` beside optimizer, scheduler, arguments", saved("m.pth", fast_reid)),
    Layout("the same in the legacy layout", saved("m.pth", fast_reid, layout="legacy")),
    *(
        Layout(f"nested under `{nest}`", saved("w.pth", lambda w, nest=nest: {nest: w}))
        for nest in NESTS
    ),
    Layout("nested under any other key", saved("w.pth", lambda w: {"my weights": w, "epoch": 3})),
    Layout("nested twice: `state`, `model`", saved("w.pth", lambda w: {"state": {"model": w}})),
    Layout("numbers beside the tensors", saved("w.pth", lambda w: {**w, "epoch": 3, "lr": 0.1})),
    Layout("names begin with `module.`", saved("w.pth", lambda w: prefixed(w, "module."))),
    Layout("`module.module.`", saved("w.pth", lambda w: prefixed(w, "module.module."))),
    Layout(
        "`dense.module.`: a part alone was wrapped",
        saved("w", lambda w: {k.replace("dense.", "dense.module."): v for k, v in w.items()}),
    ),
    Layout("`_orig_mod.`", saved("w.pth", lambda w: prefixed(w, "_orig_mod."))),
    Layout("`module._orig_mod.`", saved("w.pth", lambda w: prefixed(w, "module._orig_mod."))),
    Layout("`model.`", saved("w.pth", lambda w: prefixed(w, "model."))),
    Layout("PyTorch Lightning's `.ckpt`", saved("epoch=3.ckpt", lightning)),
    Layout(
        "`encoder.` beside another network",
        saved("w.pth", lambda w: {**prefixed(w, "encoder."), "projector.weight": np.ones((2, 2))}),
        "loads with a model",
    ),
    Layout(
        "`backbone.` where the model has none",
        saved("w.pth", lambda w: prefixed(w, "backbone.")),
        "loads with a model",
    ),
    Layout("an object that keeps an average beside `model`", saved("w.pth", with_average)),
    Layout(
        "`model` and `ema` of the same values", saved("w.pth", lambda w: {"model": w, "ema": w})
    ),
    Layout(
        "`file.pth::model_ema` of two sets",
        lambda folder, w: (
            str(torch_file(folder / "w.pth", {"model": changed(w), "model_ema": w})) + "::model_ema"
        ),
    ),
    Layout(
        "`file.pth::teacher` of names with `student.` and `teacher.`",
        lambda folder, w: (
            str(
                torch_file(
                    folder / "w", {**prefixed(changed(w), "student."), **prefixed(w, "teacher.")}
                )
            )
            + "::teacher"
        ),
    ),
    Layout("NumPy arrays in a plain pickle", plain_pickle),
    Layout("safetensors", safetensors),
    Layout("safetensors under the name `.pth`", safetensors_as_pth),
    Layout("checkpoint of this toolbox", own),
    Layout("mindspore.save_checkpoint", mindspore()),
    Layout("the same with `append_dict`", mindspore(epoch_num=3, lr=0.1)),
    Layout("the same with states of the optimizer", mindspore(state=1, learning_rate=0.1)),
    Layout("the same, names begin with `network.`", mindspore("network.", global_step=7)),
    Layout("mindspore.save_checkpoint, format safetensors", mindspore(suffix="safetensors")),
]

REFUSED = [
    Layout(
        "two sets of weights with other values",
        saved("w.pth", lambda w: {"model": w, "model_ema": changed(w)}),
        "several sets",
    ),
    Layout(
        "names with `student.` and `teacher.`",
        saved("w", lambda w: {**prefixed(w, "student."), **prefixed(changed(w), "teacher.")}),
        "several sets",
    ),
    Layout(
        "a whole network, torch.save(model)",
        saved("w.pth", lambda w: Call("reid Net", state={"_parameters": w, "_modules": {}})),
        "whole network",
    ),
    Layout(
        "a weight that is quantised, sparse or complex",
        saved("w.pth", lambda w: {**w, "a.bias": Call("torch._utils _rebuild_qtensor", tensor())}),
        "'a.bias' is an object of",
    ),
    Layout(
        "an array of objects as a weight",
        saved("w.pth", lambda w: {**w, "a.bias": Plain(np.array([Path("x")], dtype=object))}),
        "'a.bias' is a NumPy array of objects",
    ),
]
