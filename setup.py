"""Package metadata; requirements*.txt pin the versions that were tested together."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$',
    (ROOT / "fastreid" / "__init__.py").read_text(encoding="utf-8"),
    flags=re.MULTILINE,
).group(1)

CUHK03 = ["h5py>=3.8"]
PLOTS = ["matplotlib>=3.6"]
TENSORBOARD = ["tensorboardX>=2.6"]
FAISS = ["faiss-cpu>=1.13"]
MILVUS = ["pymilvus>=3.0", "milvus-lite>=2.5"]
RAY = ["pyarrow>=14", "ray[data]>=2.51"]
# onnxruntime 1.19 is the last release for Python 3.9; onnx 1.20 has none for it.
ONNX = [
    "onnx>=1.16,<1.20",
    "onnxruntime>=1.19,<1.20; python_version < '3.10'",
    "onnxruntime>=1.19,<1.24; python_version >= '3.10'",
]
DEMO = [*CUHK03, *PLOTS]
TORCH = [
    "torch==2.8.0; python_version < '3.10'",
    "torch==2.13.0; python_version >= '3.10'",
]
# The theme and mkdocstrings need Python 3.11.
DOCS = [
    "mkdocs>=1.6",
    "mkdocs-material>=9.8; python_version >= '3.11'",
    "mkdocstrings[python]>=1.0; python_version >= '3.11'",
    "mkdocstrings-python>=2.0; python_version >= '3.11'",
]
TEST = [
    *DEMO,
    *DOCS,
    *ONNX,
    *TENSORBOARD,
    "faiss-cpu==1.13.0; python_version < '3.10'",
    "faiss-cpu==1.15.1; python_version >= '3.10'",
    "milvus-lite==2.5.1; python_version < '3.10'",
    "milvus-lite==3.2.2; python_version >= '3.10'",
    "pymilvus>=3.0",
    # Ray 2.51 is the last release for Python 3.9.
    "pandas>=1.3",
    "pyarrow>=14",
    "ray[data]>=2.51,<2.52; python_version < '3.10'",
    "ray[data]>=2.51; python_version >= '3.10'",
    "mypy>=1.19,<1.20",
    "pytest>=8.0",
    "pytest-xdist>=3.6",
    "ruff>=0.6",
    "setuptools>=64",
    *TORCH,
]

setup(
    name="acl-dgreid-mindspore",
    version=VERSION,
    description="Generalizable person re-identification (ACL, ECCV 2022) on MindSpore",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.9,<3.13",
    packages=find_packages(include=["fastreid", "fastreid.*"]),
    install_requires=[
        "mindspore>=2.7,<2.11",
        "numpy>=1.22,<2",
        "pyyaml>=6.0",
        "yacs>=0.1.8",
        "opencv-python-headless>=4.5,<4.12",
        "pillow>=10.1",
        "scipy>=1.9",
        "tabulate>=0.9",
        "termcolor>=2.0",
        "safetensors>=0.4",
    ],
    extras_require={
        "cuhk03": CUHK03,
        "onnx": ONNX,
        "plots": PLOTS,
        "ray": RAY,
        "tensorboard": TENSORBOARD,
        "faiss": FAISS,
        "milvus": MILVUS,
        "demo": DEMO,
        "docs": DOCS,
        "compare": TORCH,
        "test": TEST,
    },
)
