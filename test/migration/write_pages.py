"""Write docs/migration/api.md and graph_mode.md from the rows that the tests run.

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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from test.migration.graph_errors import ERRORS, GraphError
from test.migration.pair import BOTH, Pair, Verdict, statements
from test.migration.pairs import CHAPTERS, PAIRS

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "migration"
NOTE = "<!-- Written by test/migration/write_pages.py; change test/migration/{source} instead. -->"
API_INTRODUCTION = """\
# PyTorch and MindSpore, line by line

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


def code(lines: list[str]) -> str:
    """Statements in a cell of a table."""
    return "<br>".join(f"`{line}`" for line in lines).replace("|", "\\|")


def row(pair: Pair) -> str:
    """One row of a table."""
    differs = pair.differs.replace("|", "\\|")
    if pair.trap:
        where = "" if pair.trap_in == BOTH else f" ({pair.trap_in[0]} mode)"
        differs += f"<br>**Not**{where}: {code(statements(pair.trap))}"
    verdict = f"{pair.guide}: {pair.verdict.value}" if pair.guide else "-"
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


def api_page() -> str:
    """The page of pairs."""
    found = verdicts()
    count = Counter(found.values())
    counts = ", ".join(f"{count[verdict]} {verdict.value}" for verdict in Verdict)
    parts = [API_INTRODUCTION.format(numbers=len(found), counts=counts)]
    for chapter in CHAPTERS:
        head = "| PyTorch | MindSpore 2.8 | what differs | guide for 2.2 |\n|---|---|---|---|\n"
        rows = "\n".join(row(pair) for pair in chapter.pairs)
        parts.append(f"## {chapter.title}\n\n{head}{rows}\n")
    return "\n".join([NOTE.format(source="pairs"), *parts])


def construct_of(cell: type) -> str:
    """Source of a cell, without the methods that only tests use."""
    methods = [vars(cell).get(name) for name in ("__init__", "construct")]
    source = [textwrap.dedent(inspect.getsource(m)).rstrip() for m in methods if m]
    body = textwrap.indent("\n\n".join(source), "    ")
    return (
        f"```python\n# test/migration/graph_errors.py\nclass {cell.__name__}(nn.Cell):\n{body}\n```"
    )


def section(error: GraphError) -> str:
    """What the page says about one error."""
    now = (
        f"On 2.8 the message has: `{error.error}`." if error.error else "On 2.8: no longer occurs."
    )
    parts = [f"## {heading(error)}", f"`{error.message}`", now, error.cause]
    parts += [construct_of(error.broken), error.cure]
    if error.cured is not error.broken:
        parts.append(construct_of(error.cured))
    return "\n\n".join(parts) + "\n"


def heading(error: GraphError) -> str:
    """A short title: the name of the cell in words."""
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in error.broken.__name__)
    return f"A cell that{words}"


def graph_page() -> str:
    """The page of errors."""
    parts = [GRAPH_INTRODUCTION, *(section(error) for error in ERRORS), STUB_ERROR]
    return "\n".join([NOTE.format(source="graph_errors.py"), *parts])


def pages() -> dict[Path, str]:
    """The text of each page that is written here."""
    return {FOLDER / "api.md": api_page(), FOLDER / "graph_mode.md": graph_page()}


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
