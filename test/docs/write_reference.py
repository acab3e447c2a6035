"""Write docs/reference/configuration.md and tools.md from the code.

    python test/docs/write_reference.py

`--check` writes nothing and exits with 1 if a page is not up to date.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import re
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from test.docs.config_keys import Key, all_keys, uses
from test.docs.markdown import ROOT

FOLDER = ROOT / "docs" / "reference"
NOTE = "<!-- Written by test/docs/write_reference.py; change {source} instead. -->"
CONFIGURATION = """\
# Configuration keys

All keys with their types, default values and meanings, as
[defaults.py](../../fastreid/config/defaults.py) has them, and the files of the package, or in
`tools`, that read them. Keys that fast-reid and ACL-DGReID do not have are marked (new). A value
has the type of its default. [command_line.md](../command_line.md#settings) describes how values
are written.
"""
TOOLS = """\
# Command line

What `--help` prints for every program in `tools`, {count} of them.
[command_line.md](../command_line.md) has exit codes and how settings are written.
"""
READERS = ("parse_args", "parse_arguments", "run")


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|")


def value_of(key: Key) -> str:
    """The default value, as it is written on a command line."""
    value = key.default
    if isinstance(value, (list, tuple)):
        return repr([round(v, 6) if isinstance(v, float) else v for v in value])
    return repr(value) if isinstance(value, str) else str(value)


def row(key: Key, before: Key | None, files: list[str]) -> str:
    """One row of the table; keys with a common comment refer to the first of them."""
    same = before is not None and before.meaning == key.meaning
    used = "<br>".join(f"`{file.removeprefix('fastreid/')}`" for file in files[:3])
    if len(files) > 3:
        used += f"<br>and {len(files) - 3} more"
    name = key.name.rpartition(".")[2]
    cells = [f"`{name}`", type(key.default).__name__, f"`{value_of(key)}`"]
    cells += ["as above" if same else cell(key.meaning), used or "none"]
    return f"| {' | '.join(cells)} |"


def configuration_page() -> str:
    """The page of keys, with a table for each section."""
    parts = [NOTE.format(source="fastreid/config/defaults.py"), CONFIGURATION]
    files = uses()
    sections: dict[str, list[Key]] = {}
    for key in all_keys():
        sections.setdefault(key.name.rpartition(".")[0], []).append(key)
    for section, keys in sections.items():
        parts.append(f"## {section or 'Top level'}\n")
        parts.append("| key | type | default | meaning | read in |\n|---|---|---|---|---|")
        before = None
        for key in keys:
            parts.append(row(key, before, files[key.name]))
            before = key
        parts.append("")
    return "\n".join(parts)


def help_of(script: Path, *words: str) -> str:
    """What a script prints for --help, 100 columns wide, in the words of Python 3.10 and later."""
    module = importlib.import_module(f"tools.{script.stem}")
    read = getattr(module, next(name for name in READERS if hasattr(module, name)))
    output = io.StringIO()
    width = mock.patch.dict(os.environ, {"COLUMNS": "100"})
    name = mock.patch.object(sys, "argv", [script.name])
    with width, name, redirect_stdout(output), suppress(SystemExit):
        read([*words, "--help"])
    return output.getvalue().replace("optional arguments:", "options:").rstrip()


def commands_of(text: str) -> list[str]:
    """Subcommands in a usage line such as ``{add,search} ...``."""
    found = re.search(r"\{([\w,-]+)\} \.\.\.", text.partition("\n\n")[0])
    return found[1].split(",") if found else []


def tools_page() -> str:
    """The page of command lines."""
    scripts = sorted((ROOT / "tools").glob("*.py"))
    parts = [NOTE.format(source="the program"), TOOLS.format(count=len(scripts))]
    for script in scripts:
        text = help_of(script)
        parts.append(f"## {script.name}\n\n```text\n{text}\n```\n")
        for command in commands_of(text):
            inner = help_of(script, command)
            parts.append(f"### {script.name} {command}\n\n```text\n{inner}\n```\n")
    return "\n".join(parts)


def pages() -> dict[Path, str]:
    """The text of each page that is written here."""
    return {
        FOLDER / "configuration.md": configuration_page(),
        FOLDER / "tools.md": tools_page(),
    }


def main(argv: list[str] | None = None) -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args(argv)
    old = [path for path, text in pages().items() if path.read_text(encoding="utf-8") != text]
    for path in [] if args.check else old:
        path.write_text(pages()[path], encoding="utf-8")
    return 1 if args.check and old else 0


if __name__ == "__main__":
    sys.exit(main())
