import os
import subprocess
import sys

import mindspore as ms
import pytest

from fastreid.engine.cpu import memory
from fastreid.engine.cpu.memory import block_gib, reserve_memory

resource = pytest.importorskip("resource")

RUN = """
import sys
import fastreid
import mindspore as ms, numpy as np
from fastreid.config import get_cfg
from fastreid.engine import set_device_and_mode
cfg = get_cfg()
cfg.merge_from_list(["MODEL.DEVICE", "cpu"])

if sys.argv[1] == "default":
    ms.set_device("CPU")
else:
    set_device_and_mode(cfg)
    set_device_and_mode(cfg)
x = ms.Tensor(np.ones((64, 64), np.float32))
ms.ops.matmul(x, x).asnumpy()
sizes = []
for line in open("/proc/self/maps"):
    first, last = line.split()[0].split("-")
    sizes.append(int(last, 16) - int(first, 16))
resident = [int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmRSS")]
print(max(sizes) // 2**20, resident[0] // 2**10)
"""


def run(mode, **options):
    words = [sys.executable, "-c", RUN, mode]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, done.stderr
    assert "malloc memory failed" not in done.stderr
    return [int(word) for word in done.stdout.split()]


@pytest.fixture
def linux(tmp_path, monkeypatch):
    """A machine whose files and limits a test sets."""
    folder = tmp_path / "proc" / "sys" / "vm"
    folder.mkdir(parents=True)
    (folder / "overcommit_memory").write_text("0\n")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    return tmp_path


@pytest.mark.parametrize(
    ("gib", "block"), [(24, 12), (23.4, 11), (1.5, 0), (1000, 64), (128, 64), (3, 1)]
)
def test_the_block_is_half_of_the_memory(linux, monkeypatch, gib, block):
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": int(gib * 2**18)}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    assert block_gib(linux) == block


@pytest.mark.parametrize("policy", ["2\n", None])
def test_where_unused_address_space_counts_mindspores_blocks_stay(linux, policy):
    file = linux / "proc" / "sys" / "vm" / "overcommit_memory"
    assert block_gib(linux) > 0
    file.unlink()
    if policy:
        file.write_text(policy)
    assert block_gib(linux) == 0


@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_where_address_space_is_limited_mindspores_blocks_stay(linux, monkeypatch, limit):
    limits = {getattr(resource, limit): 6 * 2**30}
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda key: (limits.get(key, unlimited), unlimited))
    assert block_gib(linux) == 0


def test_on_other_systems_mindspores_blocks_stay(linux, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert block_gib(linux) == 0


def test_what_the_user_has_set_stays(monkeypatch):
    def refuse(**sizes):
        raise RuntimeError("The 'set_memory' can not be set repeatedly.")

    monkeypatch.setattr(ms.runtime, "set_memory", refuse)
    monkeypatch.setattr(memory, "block_gib", lambda: 3)
    reserve_memory()


def test_nothing_is_set_where_mindspores_blocks_stay(monkeypatch):
    sizes = []
    monkeypatch.setattr(ms.runtime, "set_memory", lambda **size: sizes.append(size))
    for gib in (0, 3):
        monkeypatch.setattr(memory, "block_gib", lambda gib=gib: gib)
        reserve_memory()
    assert sizes == [{"init_size": "3GB"}]


@pytest.mark.skipif(block_gib() < 4, reason="the block would be nearly as small as MindSpore's")
def test_mindspore_takes_the_block_and_uses_none_of_it():
    (default, before), (ours, after) = run("default"), run("ours")
    assert default < 1024 * block_gib() <= ours
    assert after - before < 200


@pytest.mark.skipif(sys.platform != "linux", reason="it limits the address space")
def test_a_limited_address_space_is_enough():
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, resource.RLIM_INFINITY))

    assert run("ours", preexec_fn=limit)[0] < 4096
