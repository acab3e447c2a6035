"""Write api.md and graph_mode.md of docs/migration and docs/zh/migration from the tests' rows.

    python test/migration/write_pages.py

`--check` writes nothing and exits with 1 if a page is not up to date.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from test.migration.graph_errors import ERRORS, GraphError
from test.migration.pair import BOTH, Chapter, Pair, Verdict, statements
from test.migration.pairs import CHAPTERS, PAIRS

DOCS = Path(__file__).resolve().parents[2] / "docs"
NOTE = "<!-- Written by test/migration/write_pages.py; change test/migration/{source} instead. -->"
API_INTRODUCTION = """\
# PyTorch and MindSpore, line by line

English | [简体中文](../zh/migration/api.md)

Each row has a line of PyTorch and the line of MindSpore 2.8 that does the same. A test runs both
on the same input, in graph and pynative mode, and compares results and, where there are any,
gradients (`test/migration/test_pairs.py`).

`x` and `y` are tensors; `nn`, `ops` and `ms` are MindSpore's, `functional` is
`torch.nn.functional`. A helper such as `steps` or `SumOf` is defined in the file of its chapter
in `test/migration/pairs`.

**Not** names a line that looks right, fails or gives another result, and in which mode; the test
runs it too. The last column is about an older guide, written by hand for MindSpore 2.2, with
{numbers} pairs: the number of the pair, and what its line or its remark is on 2.8: {counts}. A
pair with two rows counts with the worse one.
"""
GRAPH_INTRODUCTION = """\
# Errors of graph mode

English | [简体中文](../zh/migration/graph_mode.md)

Graph mode compiles `construct`. It knows a part of Python, reads attributes once, and does not
run what it compiles as Python would. This page has the errors in the log of an older guide, which
ported the same network to MindSpore 2.2, and some others. A test runs both cells of each on 2.8
(`test/migration/test_graph_errors.py`). The cured cell doubles its input.

Graph mode also gives wrong results without an error; [api.md](api.md#training) has these.
"""
STUB_ERROR = """\
## A tensor of MindSpore in a function of PyTorch

`sub_(): argument 'other' (position 1) must be Tensor, not StubTensor`

The eighth error of the log is one of PyTorch: one of its tensors is the receiver, and the
argument is a tensor of MindSpore, from a part that was ported already. Port the rest, or convert
by `asnumpy()`. On 2.8 the message ends in `not Tensor`.
"""


class Language(NamedTuple):
    """The words of a page, apart from code.

    Attributes:
        folder: of the pages.
        head: first line of the tables.
        trap: stands before a line that is wrong; has a place for the mode.
        mode: name of a mode, in parentheses.
        modes: words for the modes.
        verdicts: words for a verdict on the older guide.
        comma, colon: punctuation.
        api_introduction, graph_introduction, stub_error: paragraphs.
        still, no_longer: whether an error occurs on 2.8.
    """

    folder: Path
    head: str
    trap: str
    mode: str
    modes: dict[str, str]
    verdicts: dict[Verdict, str]
    comma: str
    colon: str
    api_introduction: str
    graph_introduction: str
    stub_error: str
    still: str
    no_longer: str

    def note(self, source: str) -> str:
        """Comment that says where the words are."""
        return NOTE.format(source=source if self is ENGLISH else "chinese.yml")

    def title(self, chapter: Chapter) -> str:
        """Title of a chapter."""
        return chapter.title if self is ENGLISH else _CHAPTERS[chapter.title]["title"]

    def differs(self, chapter: Chapter, pair: Pair) -> str:
        """Remark of a row."""
        found = pair.differs if self is ENGLISH else _CHAPTERS[chapter.title]["rows"][pair.name]
        return found.replace("|", "\\|")

    def about(self, error: GraphError) -> tuple[str, str, str]:
        """Heading, cause and cure of an error."""
        if self is ENGLISH:
            return heading(error), error.cause, error.cure
        words = _WORDS["graph_mode"]["errors"][error.broken.__name__]
        return words["heading"], words["cause"], words["cure"]


_WORDS = yaml.safe_load(Path(__file__).with_name("chinese.yml").read_text(encoding="utf-8"))
_CHAPTERS = _WORDS["api"]["chapters"]
ENGLISH = Language(
    DOCS / "migration",
    "| PyTorch | MindSpore 2.8 | what differs | guide for 2.2 |",
    "**Not**{}: ",
    " ({} mode)",
    {mode: mode for mode in BOTH},
    {verdict: verdict.value for verdict in Verdict},
    ", ",
    ": ",
    API_INTRODUCTION,
    GRAPH_INTRODUCTION,
    STUB_ERROR,
    "On 2.8 the message has: `{}`.",
    "On 2.8: no longer occurs.",
)
CHINESE = Language(
    DOCS / "zh" / "migration",
    "| PyTorch | MindSpore 2.8 | 差异 | 2.2 旧指南 |",
    "**错误写法**{}：",
    "（仅{}模式）",
    {"graph": "静态图", "pynative": "动态图"},
    {Verdict.RIGHT: "正确", Verdict.WRONG: "错误", Verdict.CHANGED: "之后有变化"},
    "，",
    "：",
    _WORDS["api"]["introduction"],
    *(_WORDS["graph_mode"][name] for name in ("introduction", "stub_error", "still", "no_longer")),
)


def code(lines: list[str]) -> str:
    """Statements in a cell of a table."""
    return "<br>".join(f"`{line}`" for line in lines).replace("|", "\\|")


def row(language: Language, chapter: Chapter, pair: Pair) -> str:
    """One row of a table."""
    differs = language.differs(chapter, pair)
    if pair.trap:
        mode = "" if pair.trap_in == BOTH else language.mode.format(language.modes[pair.trap_in[0]])
        differs += f"<br>{language.trap.format(mode)}{code(statements(pair.trap))}"
    verdict = "-"
    if pair.guide and pair.verdict:
        verdict = f"{pair.guide}{language.colon}{language.verdicts[pair.verdict]}"
    cells = (code(statements(pair.pytorch)), code(statements(pair.mindspore)), differs, verdict)
    return f"| {' | '.join(cells)} |"


def verdicts() -> dict[int, Verdict]:
    """The verdict on each pair of the guide: the worst of its rows."""
    order = list(Verdict)
    found: dict[int, Verdict] = {}
    for pair in PAIRS:
        if pair.guide and pair.verdict:
            worst = (found.get(pair.guide, Verdict.RIGHT), pair.verdict)
            found[pair.guide] = max(worst, key=order.index)
    return found


def api_page(language: Language) -> str:
    """The page of pairs."""
    found = verdicts()
    count = Counter(found.values())
    counts = language.comma.join(f"{count[v]} {language.verdicts[v]}" for v in Verdict)
    parts = [language.api_introduction.format(numbers=len(found), counts=counts)]
    for chapter in CHAPTERS:
        rows = "\n".join(row(language, chapter, pair) for pair in chapter.pairs)
        title = language.title(chapter)
        parts.append(f"## {title}\n\n{language.head}\n|---|---|---|---|\n{rows}\n")
    return "\n".join([language.note("pairs"), *parts])


def construct_of(cell: type) -> str:
    """Source of a cell, without the methods that only tests use."""
    methods = [vars(cell).get(name) for name in ("__init__", "construct")]
    source = [textwrap.dedent(inspect.getsource(m)).rstrip() for m in methods if m]
    body = textwrap.indent("\n\n".join(source), "    ")
    return (
        f"```python\n# test/migration/graph_errors.py\nclass {cell.__name__}(nn.Cell):\n{body}\n```"
    )


def section(language: Language, error: GraphError) -> str:
    """What the page says about one error."""
    title, cause, cure = language.about(error)
    now = language.still.format(error.error) if error.error else language.no_longer
    parts = [f"## {title}", f"`{error.message}`", now, cause, construct_of(error.broken), cure]
    if error.cured is not error.broken:
        parts.append(construct_of(error.cured))
    return "\n\n".join(parts) + "\n"


def heading(error: GraphError) -> str:
    """A short title: the name of the cell in words."""
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in error.broken.__name__)
    return f"A cell that{words}"


def graph_page(language: Language) -> str:
    """The page of errors."""
    sections = (section(language, error) for error in ERRORS)
    parts = [language.graph_introduction, *sections, language.stub_error]
    return "\n".join([language.note("graph_errors.py"), *parts])


def pages() -> dict[Path, str]:
    """The text of each page that is written here."""
    makers = {"api.md": api_page, "graph_mode.md": graph_page}
    return {
        language.folder / name: make(language)
        for language in (ENGLISH, CHINESE)
        for name, make in makers.items()
    }


def main(argv: list[str] | None = None) -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args(argv)
    old = [path for path, text in pages().items() if not is_current(path, text)]
    for path in [] if args.check else old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages()[path], encoding="utf-8")
    return 1 if args.check and old else 0


def is_current(path: Path, text: str) -> bool:
    """Tell whether a page has this text."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
