"""The documents of the repository, and their content."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
# English document -> the same in Chinese.
TRANSLATIONS = {
    ROOT / "README.md": ROOT / "README.zh-CN.md",
    ROOT / "INSTALL.md": ROOT / "docs" / "zh" / "INSTALL.md",
    ROOT / "docs" / "demo.md": ROOT / "docs" / "zh" / "demo.md",
    **{
        ROOT / "docs" / "migration" / name: ROOT / "docs" / "zh" / "migration" / name
        for name in ("workflow.md", "api.md", "graph_mode.md")
    },
}
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "INSTALL.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / name for name in ("README.zh-CN.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "datasets" / "README.md",
    ROOT / "benchmarks" / "README.md",
]
# Pages whose blocks build on each other; test_tutorials.py runs them.
TUTORIALS = sorted(
    path for path in (ROOT / "docs" / "tutorials").glob("*.md") if path.name != "index.md"
)
# What a block may need that a test does not have. `<!-- needs: gpu, data -->` stands above it.
NEEDS = {
    "gpu": "a GPU or an Ascend device",
    "data": "the published data sets, or images and weights of the reader",
    "network": "package indexes",
    "cluster": "several processes or machines",
    "original": "a checkout of the PyTorch original",
    "time": "more than a minute of computing",
}
LANGUAGES = {"bash", "python", "yaml", "text", "bibtex"}


class Block(NamedTuple):
    """A fenced block: where it is, its language, what it needs, and its text."""

    document: Path
    line: int
    language: str
    needs: frozenset
    text: str

    def __str__(self):
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def file(self):
        """Name of the file that the block shows, from a first line such as "# my_data.py"."""
        found = re.match(r"# (\S+\.(?:py|yml))\n", self.text)
        return found[1] if found else None


def read(document):
    return document.read_text(encoding="utf-8")


def blocks(document):
    """All fenced blocks of a document, in order."""
    found = []
    lines = iter(enumerate(read(document).splitlines(), start=1))
    before = ""
    for number, line in lines:
        fence = re.match(r"(\s*)```(\w*)$", line)
        if fence:
            indent, language = fence.groups()
            content = []
            for _, inner in lines:
                if inner == f"{indent}```":
                    break
                content.append(inner[len(indent) :])
            marks = re.fullmatch(r"\s*<!-- needs: (.*) -->", before)
            needs = frozenset(marks[1].split(", ")) if marks else frozenset()
            found.append(Block(document, number, language, needs, "\n".join([*content, ""])))
        before = line
    return found


def all_blocks(*languages):
    return [b for document in DOCUMENTS for b in blocks(document) if b.language in languages]


def code_spans(document):
    """What stands between backticks, one line at most, outside of fenced blocks."""
    outside = re.sub(r"^(\s*)```.*?^\1```$", "", read(document), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", outside)


def anchors(document):
    """Names of a document's headings, as GitHub makes them."""
    outside = re.sub(r"^(\s*)```.*?^\1```$", "", read(document), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", outside, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}
