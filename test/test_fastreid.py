"""What importing the package does to the process."""

import os
import subprocess
import sys
from importlib import metadata

import pytest

import fastreid

OURS = ("GLOG_v", "MS_SUBMODULE_LOG_v", "ONEDNN_MAX_CPU_ISA")


def environment_after_import(**given):
    """Our variables after `import fastreid` in a fresh interpreter, and what it imported."""
    code = (
        "import os, sys, fastreid; "
        f"print({{k: os.environ.get(k) for k in {OURS!r}}}); print('mindspore' in sys.modules)"
    )
    clean = {name: value for name, value in os.environ.items() if name not in OURS}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_importing_quietens_mindspore_and_does_not_import_it():
    printed = environment_after_import()
    assert "'GLOG_v': '3'" in printed
    assert "'MS_SUBMODULE_LOG_v': '{ANALYZER:4}'" in printed
    assert printed.endswith("False\n")


def test_variables_that_the_user_set_are_kept():
    printed = environment_after_import(GLOG_v="1", ONEDNN_MAX_CPU_ISA="AVX")
    assert "'GLOG_v': '1'" in printed
    assert "'ONEDNN_MAX_CPU_ISA': 'AVX'" in printed


def test_onnx_can_be_imported_before_mindspore():
    pytest.importorskip("onnx")
    code = "import fastreid, onnx, mindspore; from mindspore.train import mind_ir_pb2"
    name = "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
    clean = {key: value for key, value in os.environ.items() if key != name}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("version", "flags", "limit"),
    [
        ("2.8.0", "avx2 avx512f", None),
        ("2.9.1", "avx2 avx512f", "AVX2"),
        ("2.10.0", "avx2 avx512f", "AVX2"),
        ("2.10.0", "avx2", None),
    ],
)
def test_convolutions_of_later_releases_keep_off_avx512(
    monkeypatch, tmp_path, version, flags, limit
):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags : {flags}\n")
    has_avx512 = fastreid._has_avx512(str(cpuinfo))
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(metadata, "version", lambda name: version)
    monkeypatch.setattr(fastreid, "_has_avx512", lambda: has_avx512)
    fastreid._limit_onednn()
    assert os.environ.get("ONEDNN_MAX_CPU_ISA") == limit
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)


def test_without_mindspore_or_cpuinfo_nothing_is_assumed(monkeypatch, tmp_path):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert fastreid._mindspore_version() == (0, 0)
    assert not fastreid._has_avx512(str(tmp_path / "none"))
