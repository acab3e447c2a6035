import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from fastreid.utils.checkpoint import Checkpointer, PeriodicCheckpointer, files
from fastreid.utils.checkpoint.files import read_checkpoint, remove_leftovers, replacing
from fastreid.utils.checkpoint.weights import load_weights


class Net(nn.Cell):
    def __init__(self, width=3):
        super().__init__()
        self.dense = nn.Dense(2, width)
        self.norm = nn.BatchNorm1d(width)

    def construct(self, x):
        return self.dense(x)


class Counter:
    """A checkpointable with an array, a number and a text."""

    def __init__(self, start=0):
        self.state = {"history": np.arange(start, start + 3.0), "count": start, "name": "x"}

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = dict(state)


def filled(model, value):
    for parameter in model.get_parameters():
        ops.assign(parameter, ms.numpy.full(parameter.shape, value, parameter.dtype))
    return model


def values(model):
    return {p.name: p.asnumpy().copy() for p in model.get_parameters()}


def weights_of(model, value=7.0):
    return {p.name: np.full(p.shape, value, np.float32) for p in model.get_parameters()}


def test_a_saved_checkpoint_can_be_loaded(tmp_path):
    saver = Checkpointer(filled(Net(), 2.5), tmp_path, counter=Counter(4))
    saver.save("model_0001", epoch=np.int64(1), positions=[3, 4], best_metric=None)
    loader = Checkpointer(filled(Net(), 0.0), tmp_path, counter=Counter())
    extra = loader.load(tmp_path / "model_0001.ckpt")
    assert extra == {"epoch": 1, "positions": [3, 4], "best_metric": None}
    assert all((value == 2.5).all() for value in values(loader.model).values())
    assert loader.checkpointables["counter"].state["history"].tolist() == [4, 5, 6]
    assert loader.checkpointables["counter"].state["count"] == 4
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "last_checkpoint",
        "model_0001.ckpt",
    ]


def test_weights_only_does_not_change_the_other_objects(tmp_path):
    Checkpointer(filled(Net(), 1.0), tmp_path, counter=Counter(9)).save("a", epoch=1)
    loader = Checkpointer(Net(), tmp_path, counter=Counter())
    loader.load(tmp_path / "a.ckpt", weights_only=True)
    assert loader.checkpointables["counter"].state["count"] == 0
    assert (loader.model.dense.weight.asnumpy() == 1).all()


def test_loaded_weights_are_used_by_a_graph_that_ran_before(mode, tmp_path):
    Checkpointer(filled(Net(), 1.0), tmp_path).save("a")
    model = filled(Net(), 0.0)
    ones = Tensor(np.ones((1, 2), np.float32))
    assert model(ones).asnumpy().tolist() == [[0, 0, 0]]
    Checkpointer(model, tmp_path).load(tmp_path / "a.ckpt")
    assert model(ones).asnumpy().tolist() == [[3, 3, 3]]


def test_weights_that_do_not_fit_are_all_named_and_none_is_loaded():
    model = Net()
    before = values(model)
    weights = weights_of(model)
    del weights["dense.bias"]
    weights["dense.weight"] = np.zeros((4, 2), np.float32)
    weights["extra.weight"] = np.zeros(1, np.float32)
    with pytest.raises(ValueError) as error:
        load_weights(model, weights, source="some.ckpt")
    message = str(error.value)
    assert message.startswith("some.ckpt does not fit the model Net. ")
    assert "Use the configuration that the weights were trained with" in message
    assert "1 missing: dense.bias" in message
    assert "1 unexpected: extra.weight" in message
    assert "dense.weight (4, 2), the model has (3, 2)" in message
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_ignored_parameters_keep_their_values_and_are_logged(caplog):
    model = filled(Net(), 0.0)
    weights = weights_of(model)
    weights["dense.weight"] = np.zeros((4, 2), np.float32)
    weights["dense.other"] = np.zeros(1, np.float32)
    with caplog.at_level("INFO", logger="fastreid"):
        load_weights(model, weights, ignore=("dense.",))
    assert (model.dense.weight.asnumpy() == 0).all()
    assert (model.dense.bias.asnumpy() == 7).all()
    assert "dense.other, dense.weight" in caplog.text


def test_pytorch_weights_are_loaded_under_their_own_names(tmp_path):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.ModuleDict({"dense": torch.nn.Linear(2, 3), "norm": torch.nn.BatchNorm1d(3)})
    path = tmp_path / "their.pth"
    torch.save({"model": theirs.state_dict(), "epoch": 3}, path)
    model = Net()
    assert Checkpointer(model).load(path) == {}
    np.testing.assert_array_equal(
        model.dense.weight.asnumpy(), theirs["dense"].weight.detach().numpy()
    )
    np.testing.assert_array_equal(
        model.norm.moving_variance.asnumpy(), theirs["norm"].running_var.numpy()
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.ckpt does not exist"):
        Checkpointer(Net()).load(tmp_path / "none.ckpt")


def test_an_unknown_kind_of_file_is_named(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"1")
    with pytest.raises(
        ValueError, match=r"weights\.bin cannot be read .* text, .* begins with '1'"
    ):
        Checkpointer(Net()).load(path)


def test_a_truncated_file_is_damaged_and_changes_nothing(tmp_path):
    Checkpointer(filled(Net(), 1.0), tmp_path).save("a")
    path = tmp_path / "a.ckpt"
    path.write_bytes(path.read_bytes()[:-20])
    model = filled(Net(), 0.0)
    with pytest.raises(ValueError, match=r"a\.ckpt is damaged"):
        Checkpointer(model).load(path)
    assert (model.dense.weight.asnumpy() == 0).all()


def test_a_mindspore_file_can_be_loaded_as_weights_but_not_resumed(tmp_path):
    path = tmp_path / "model_0001.ckpt"
    ms.save_checkpoint(filled(Net(), 3.0), str(path))
    for weights_only in (True, False):
        loader = Checkpointer(filled(Net(), 0.0), tmp_path, counter=Counter())
        assert loader.load(path, weights_only=weights_only) == {}
        assert (loader.model.dense.weight.asnumpy() == 3).all()
        assert loader.checkpointables["counter"].state["count"] == 0
    (tmp_path / "last_checkpoint").write_text("model_0001.ckpt\n")
    with pytest.raises(ValueError, match=r"model_0001\.ckpt .*holds only weights.*MODEL\.WEIGHTS"):
        loader.resume_or_load("")
    assert loader.resume_or_load(path, resume=False) == {}


def test_loading_weights_only_returns_the_extra_values(tmp_path):
    Checkpointer(filled(Net(), 1.0), tmp_path).save("a", epoch=4)
    assert Checkpointer(Net()).load(tmp_path / "a.ckpt", weights_only=True) == {"epoch": 4}


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    Checkpointer(Net(width=4), tmp_path).save("a")
    with pytest.raises(
        ValueError, match=r"a\.ckpt does not fit the model Net\. .* 6 of another shape"
    ):
        Checkpointer(Net(width=3)).load(tmp_path / "a.ckpt")


def test_a_checkpoint_of_another_training_cannot_be_resumed(tmp_path):
    Checkpointer(Net(), tmp_path, optimizer=Counter()).save("a")
    model = filled(Net(), 0.0)
    with pytest.raises(ValueError, match=r"has the states of \['optimizer'\].*has \['other'\]"):
        Checkpointer(model, tmp_path, other=Counter()).load(tmp_path / "a.ckpt")
    assert (model.dense.weight.asnumpy() == 0).all()


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    saver = Checkpointer(filled(Net(), 1.0), tmp_path)
    saver.save("a")
    before = (tmp_path / "a.ckpt").read_bytes()

    def fail(path, entries):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(files, "write_ckpt", fail)
    with pytest.raises(OSError, match="No space left"):
        filled(saver.model, 2.0)
        saver.save("a")
    assert (tmp_path / "a.ckpt").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ckpt", "last_checkpoint"]


def test_other_users_may_read_a_checkpoint(tmp_path):
    Checkpointer(Net(), tmp_path).save("a")
    assert (tmp_path / "a.ckpt").stat().st_mode & 0o777 == 0o644


def test_replacing_keeps_the_old_content_after_an_error(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyError), replacing(path) as temporary:
        temporary.write_text("new")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_json_cannot_hold_is_refused_by_name(tmp_path):
    with pytest.raises(TypeError, match="A checkpoint cannot hold .*object"):
        Checkpointer(Net(), tmp_path).save("a", thing=object())
    assert list(tmp_path.iterdir()) == []


def test_only_the_main_process_writes(tmp_path):
    Checkpointer(Net(), tmp_path / "other", save_to_disk=False).save("a")
    assert not (tmp_path / "other").exists()


def test_resuming_takes_the_last_checkpoint_and_else_the_given_weights(tmp_path):
    Checkpointer(filled(Net(), 5.0), tmp_path / "old").save("weights", epoch=8)
    weights = tmp_path / "old" / "weights.ckpt"
    checkpointer = Checkpointer(filled(Net(), 0.0), tmp_path / "run")
    assert not checkpointer.has_checkpoint()
    assert checkpointer.get_checkpoint_file() == ""
    assert checkpointer.resume_or_load("") == {}
    assert checkpointer.resume_or_load(weights) == {}
    assert (checkpointer.model.dense.weight.asnumpy() == 5).all()
    checkpointer.save("model_0000", epoch=0)
    filled(checkpointer.model, 1.0)
    assert checkpointer.resume_or_load(weights) == {"epoch": 0}
    assert (checkpointer.model.dense.weight.asnumpy() == 5).all()
    assert checkpointer.get_checkpoint_file().endswith("model_0000.ckpt")
    assert checkpointer.resume_or_load(weights, resume=False) == {}


class Saved:
    """Records the calls of `save` without writing files."""

    def __init__(self):
        self.calls = []

    def save(self, name, **extra):
        self.calls.append((name, extra["best_metric"]))


def test_checkpoints_are_written_every_period_when_better_and_at_the_end():
    saved = Saved()
    periodic = PeriodicCheckpointer(saved, 2)
    for epoch, metric in enumerate([None, 0.3, 0.2, 0.5]):
        periodic.step(epoch, metric=metric, is_last=epoch == 3, iteration=epoch)
    assert saved.calls == [
        ("model_iter_0000000", None),
        ("model_best", 0.3),
        ("model_0001", 0.3),
        ("model_iter_0000002", 0.3),
        ("model_best", 0.5),
        ("model_final", 0.5),
    ]


def test_the_best_of_a_resumed_run_is_kept():
    saved = Saved()
    PeriodicCheckpointer(saved, 0, best_metric=0.6).step(4, metric=0.5, iteration=9)
    assert saved.calls == [("model_iter_0000009", 0.6)]


def test_the_last_two_rolling_checkpoints_the_best_and_the_periodic_ones_are_kept(tmp_path):
    periodic = PeriodicCheckpointer(Checkpointer(filled(Net(), 1.0), tmp_path), 3)
    for epoch in range(7):
        metric = 0.5 if epoch == 1 else 0.1
        periodic.step(epoch, metric=metric, iteration=10 * (epoch + 1))
    kept = ["model_0002", "model_0005", "model_best", "model_iter_0000050", "model_iter_0000070"]
    assert sorted(path.stem for path in tmp_path.glob("*.ckpt")) == kept
    names = (tmp_path / "last_checkpoint").read_text().split()
    assert names[:2] == ["model_iter_0000070.ckpt", "model_0005.ckpt"]
    assert {Path(name).stem for name in names} == set(kept)


def full_disk(monkeypatch):
    def fail(path, entries):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_ckpt", fail)


def test_a_full_disk_is_a_warning_and_the_old_checkpoints_stay(tmp_path, monkeypatch, caplog):
    periodic = PeriodicCheckpointer(Checkpointer(filled(Net(), 1.0), tmp_path), 2)
    periodic.step(0, metric=0.1, iteration=10)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with monkeypatch.context() as patch:
        full_disk(patch)
        periodic.step(1, metric=0.2, iteration=20)
        periodic.step(2, metric=0.2, iteration=30)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    for name in ("model_best", "model_0001", "model_iter_0000030"):
        assert f"Cannot save {name}: [Errno 28] No space left" in caplog.text
    # The disk has space again. The best was not saved, so the next one is saved as the best.
    periodic.step(3, metric=0.2, iteration=40)
    assert read_checkpoint(tmp_path / "model_best.ckpt").extra["best_metric"] == 0.2


def test_a_final_model_that_cannot_be_saved_is_an_error(tmp_path, monkeypatch):
    full_disk(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        PeriodicCheckpointer(Checkpointer(Net(), tmp_path), 2).step(3, is_last=True, iteration=4)


@pytest.fixture
def three(tmp_path):
    """A folder with checkpoints of 1, 2 and 3, and a checkpointer of another model to load into."""
    saver = Checkpointer(Net(), tmp_path)
    for value in (1, 2, 3):
        filled(saver.model, float(value))
        saver.save(f"model_iter_{value}" if value > 1 else "model_0000", value=value)
    return Checkpointer(filled(Net(), 0.0), tmp_path)


@pytest.mark.parametrize("fault", ["cut", "changed", "empty", "gone"])
def test_a_damaged_last_checkpoint_is_reported_and_the_previous_one_used(
    three, tmp_path, caplog, fault
):
    path = tmp_path / "model_iter_3.ckpt"
    content = path.read_bytes()
    damaged = {
        "cut": content[: len(content) // 2],
        "changed": content[:40] + bytes([content[40] ^ 1]) + content[41:],
        "empty": b"",
    }
    path.unlink() if fault == "gone" else path.write_bytes(damaged[fault])
    assert three.resume_or_load("") == {"value": 2}
    assert (three.model.dense.weight.asnumpy() == 2).all()
    assert f"{path}" in caplog.text
    assert "Trying the previous checkpoint" in caplog.text


def test_unreadable_checkpoints_are_an_error_instead_of_a_new_run(three, tmp_path):
    for path in tmp_path.glob("*.ckpt"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="None of the checkpoints .* omit --resume"):
        three.resume_or_load("")


def test_a_rejected_checkpoint_changes_nothing_and_no_other_is_tried(three):
    def refuse(extra):
        raise ValueError(f"not {extra['value']}")

    with pytest.raises(ValueError, match="not 3"):
        three.resume_or_load("", check=refuse)
    assert (three.model.dense.weight.asnumpy() == 0).all()


def test_a_new_run_in_an_old_folder_does_not_fall_back_to_the_old_one(three, tmp_path):
    three.save("model_iter_9", value=9)
    assert (tmp_path / "last_checkpoint").read_text().split() == ["model_iter_9.ckpt"]


def test_a_checkpoint_saved_with_is_last_false_is_not_resumed(three, tmp_path):
    three.save("debug", is_last=False)
    assert (tmp_path / "debug.ckpt").is_file()
    assert three.get_checkpoint_file().endswith("model_iter_3.ckpt")


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_temporary_files_of_ended_processes_are_removed(three, tmp_path, caplog):
    caplog.set_level("INFO", logger="fastreid")
    dead = ended_process()
    leftovers = [
        f".model_0001.{dead}.ckpt",
        f".metrics.{dead}.json",
        f".model_iter_2.{os.getpid()}.ckpt",
        f".last_checkpoint.{dead}",
    ]
    others = [f".model_0001.{os.getppid()}.ckpt", ".hidden", f".nfs.{dead}", "a.12.ckpt"]
    for name in (*leftovers, *others):
        (tmp_path / name).write_bytes(b"half")
    three.remove_leftovers()
    assert [name for name in leftovers if (tmp_path / name).exists()] == []
    assert [name for name in others if not (tmp_path / name).exists()] == []
    assert f"Removed {leftovers[0]}, the incomplete file of a killed process" in caplog.text
    assert remove_leftovers(tmp_path) == []


def test_extra_is_plain_json_in_the_file(tmp_path):
    Checkpointer(Net(), tmp_path).save("a", epoch=1, best=0.25)
    entries = ms.load_checkpoint(str(tmp_path / "a.ckpt"))
    assert json.loads(entries["extra"]) == {"epoch": 1, "best": 0.25}


def test_checkpoints_are_listed_and_one_of_them_is_made_the_last(tmp_path):
    saver = Checkpointer(Net(), tmp_path)
    for name in ("model_0001", "model_0000"):
        saver.save(name)
    paths = [str(tmp_path / f"model_{number:04d}.ckpt") for number in range(2)]
    assert saver.get_all_checkpoint_files() == paths
    assert saver.get_checkpoint_file() == paths[0]
    saver.tag_last_checkpoint("model_0001.ckpt")
    assert saver.get_checkpoint_file() == paths[1]


def test_the_last_epoch_is_found_by_its_number(tmp_path):
    saver = PeriodicCheckpointer(Checkpointer(Net(), tmp_path), 2, 3)
    for epoch in range(3):
        saver.step(epoch, metric=None, iteration=epoch + 1)
    names = {path.name for path in tmp_path.glob("*.ckpt")}
    assert names == {"model_iter_0000001.ckpt", "model_0001.ckpt", "model_final.ckpt"}
