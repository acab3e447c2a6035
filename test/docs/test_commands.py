"""Commands in the documents are ones that the repository takes."""

import ast
import re
import shlex

import pytest

from fastreid.config import get_cfg

from .commands import (
    PROGRAMS,
    commands,
    is_placeholder,
    make_targets_and_variables,
    parse,
    settings,
)
from .markdown import DOCUMENTS, ROOT, all_blocks, blocks, code_spans


def check_command(words, files=()):
    """Fail where a command would be refused before it does any work.

    Args:
        words: of the command.
        files: that the reader has made by earlier blocks.
    """
    program, *rest = words
    if program == "make":
        check_make(rest)
    elif program == "pip":
        check_pip(rest)
    elif program == "python" and rest[0] == "-m":
        check_module(rest[1], rest[2:])
    elif program == "python":
        check_script(rest[0], rest[1:], files)
    elif program == "fastreid-train":
        check_script("tools/train_net.py", rest, files)
    else:
        assert program in PROGRAMS, shlex.join(words)


def check_make(words):
    targets, variables = make_targets_and_variables()
    for word in words:
        name, is_variable, _ = word.partition("=")
        assert name in (variables if is_variable else targets), word


def check_pip(words):
    assert words[0] == "install"
    for option, value in zip(words[1:], words[2:]):
        if option in ("-r", "--requirement"):
            assert (ROOT / value).is_file(), value
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    for extra in re.findall(r"\.\[(\w+)\]", " ".join(words)):
        assert f'"{extra}": ' in setup, extra


def check_module(module, words):
    assert module in ("build", "pip", "pytest", "unittest", "venv"), module
    for word in words:
        if "/" in word:
            assert (ROOT / word.partition("::")[0]).exists(), word


def check_script(script, words, files):
    if script == "setup.py" or words == ["--help"]:
        assert (ROOT / script).is_file()
        return
    # A script that an earlier block shows has the options of train_net.py.
    arguments = parse("tools/train_net.py" if script in files else script, words)
    cfg = get_cfg()
    file = str(getattr(arguments, "config_file", None) or "")
    if file and (ROOT / file).is_file():
        cfg.merge_from_file(ROOT / file)
    else:
        # A run's own copy, a file that an earlier block shows, or one of the reader's.
        known = ("", *files)
        assert file in known or file.startswith("logs/") or is_placeholder(file), file
    cfg.merge_from_list(settings(arguments))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_blocks_have_existing_files_options_and_settings(document):
    files = [block.file for block in blocks(document) if block.file]
    for block in blocks(document):
        if block.language == "bash":
            found = commands(block.text)
            assert found, block
            for words in found:
                check_command(words, files)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_sentences_have_existing_files_options_and_settings(document):
    files = [block.file for block in blocks(document) if block.file]
    for span in code_spans(document):
        if re.match(r"(python|make|pip|msrun) ", span) and "..." not in span:
            for words in commands(span):
                check_command(words, files)


HELP = [*sorted((ROOT / "tools").glob("*.py")), *sorted((ROOT / "benchmarks").glob("*.py"))]
CONFIGS = sorted((ROOT / "configs").rglob("*.yml"))


@pytest.mark.parametrize("file", [*HELP, *CONFIGS], ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_help_texts_and_in_headers_of_configurations_are_accepted(file):
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    pattern = r"^(?:#|# Run:)? +((?:[A-Z_]+=\S+ )*python (?:tools|benchmarks)/.*)$"
    for line in re.findall(pattern, text, flags=re.MULTILINE):
        for words in commands(line):
            check_command(words)


def test_settings_in_sentences_have_values_that_the_configuration_takes():
    for document in DOCUMENTS:
        for span in code_spans(document):
            pair = re.fullmatch(r"([A-Z]+(?:\.[A-Z0-9_]+)+) ([\w.-]+)", span)
            if pair and not is_placeholder(pair[2]):
                get_cfg().merge_from_list([pair[1], pair[2]])


@pytest.mark.parametrize(
    "line",
    [
        "python tools/train_net.py --num-gpu-s 4",
        "python tools/train_net.py SOLVER.BASE_LRR 0.1",
        "python tools/train_net.py --config-file configs/none.yml",
        "python tools/search.py QUERY.jpg",
        "make tests",
        "pip install -r requirements-none.txt",
        "pythn tools/demo.py",
        "msrun --worker_num=2 python tools/train_net.py --bad",
    ],
)
def test_a_command_with_a_mistake_is_found(line):
    with pytest.raises((AssertionError, ValueError, KeyError)):
        for words in commands(line):
            check_command(words)


def test_yaml_blocks_are_configurations(tmp_path):
    found = all_blocks("yaml")
    assert found
    for block in found:
        file = tmp_path / "block.yml"
        file.write_text(block.text, encoding="utf-8")
        get_cfg().merge_from_file(file)
