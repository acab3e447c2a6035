"""Package metadata; requirements*.txt pin the versions that were tested together."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

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
# Python 3.9 and 3.10 get older releases.
SERVE = ["fastapi>=0.115", "python-multipart>=0.0.20", "uvicorn>=0.34"]
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
    # Python 3.11 is the first that today's releases for the search service run on.
    "fastapi>=0.115,<0.116; python_version < '3.11'",
    "fastapi>=0.115; python_version >= '3.11'",
    "python-multipart>=0.0.20,<0.0.21; python_version < '3.11'",
    "python-multipart>=0.0.20; python_version >= '3.11'",
    "uvicorn>=0.34,<0.35; python_version < '3.11'",
    "uvicorn>=0.34; python_version >= '3.11'",
    "httpx>=0.28",
    "playwright>=1.49,<1.50; python_version < '3.11'",
    "playwright>=1.49; python_version >= '3.11'",
    # Ray 2.51 is the last release for Python 3.9.
    "pandas>=1.3",
    "pyarrow>=14",
    "ray[data]>=2.51,<2.52; python_version < '3.10'",
    "ray[data]>=2.51; python_version >= '3.10'",
    # build 1.3 is the last release for Python 3.9.
    "build>=1.3,<1.4; python_version < '3.10'",
    "build>=1.3; python_version >= '3.10'",
    "mypy>=1.19,<1.20",
    "pytest>=8.0",
    "pytest-xdist>=3.6",
    "ruff>=0.6",
    "setuptools>=64",
    *TORCH,
]


class BuildWithConfigs(build_py):
    """Put the configuration files into the package, where `fastreid.config.find_config` looks."""

    def run(self):
        """Copy the package, then configs/; an editable installation reads those of the checkout."""
        super().run()
        if not self.editable_mode:
            folder = Path(self.build_lib) / "fastreid" / "configs"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(ROOT / "configs", folder)


setup(
    name="acl-dgreid-mindspore",
    version=VERSION,
    description="Generalizable person re-identification (ACL, ECCV 2022) on MindSpore",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.9,<3.13",
    packages=find_packages(include=["fastreid", "fastreid.*"]),
    package_data={"fastreid": ["py.typed"], "fastreid.serve": ["static/*"]},
    cmdclass={"build_py": BuildWithConfigs},
    entry_points={"console_scripts": ["fastreid-train = fastreid.commands.train:main"]},
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
        "serve": SERVE,
        "tensorboard": TENSORBOARD,
        "faiss": FAISS,
        "milvus": MILVUS,
        "demo": DEMO,
        "docs": DOCS,
        "compare": TORCH,
        "test": TEST,
    },
)
