"""The snippet of docs/export.md runs, and its table of metadata is complete."""

import dataclasses
import os
import re
import subprocess
import sys

import numpy as np
from PIL import Image

from fastreid.deploy import ModelInfo
from test.deploy.small_models import write_model

from .markdown import ROOT, blocks, read

PAGE = ROOT / "docs" / "export.md"


def test_the_snippet_compares_two_images(tmp_path):
    write_model(tmp_path / "model.onnx")
    rng = np.random.RandomState(0)
    for name, size in (("first.jpg", (90, 40, 3)), ("second.jpg", (64, 32, 3))):
        Image.fromarray(rng.randint(0, 256, size).astype(np.uint8)).save(tmp_path / name)
    (snippet,) = [block for block in blocks(PAGE) if block.language == "python"]
    assert snippet.text.count("\n") <= 10
    command = [sys.executable, "-c", snippet.text]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.fullmatch(r"6 dimensions, cosine similarity -?[01]\.\d{3}\n", done.stdout), (
        done.stderr
    )


def test_every_entry_of_the_metadata_is_described():
    section = read(PAGE).partition("`fastreid.deploy.ModelInfo` describes")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {field.name for field in dataclasses.fields(ModelInfo)}
