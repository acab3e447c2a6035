"""Shell commands of the documents, and how the scripts that they start read them."""

import argparse
import importlib
import re
import shlex
import sys
from pathlib import Path

from .markdown import ROOT

# Programs of the reader's machine, whose arguments are not checked.
PROGRAMS = {
    *("cat", "cd", "cp", "curl", "export", "grep", "head", "kill", "ls", "mkdir", "pre-commit"),
    *("scontrol", "source", "unzip", "wget"),
}
# Functions that read a script's command line, the first that it has.
_READERS = ("parse_args", "parse_arguments", "run", "main")


class _Parsed(Exception):  # noqa: N818 - it ends a script early and is no error
    """Carries the arguments out of a script that would start to work with them."""


def commands(text):
    """Split shell text into commands.

    Args:
        text: text of a block, or one line.

    Returns:
        The words of each command, without variables that are set for it alone. Commands inside
        ``bash -c '...'`` and behind a launcher (msrun, srun) are taken out of them.
    """
    found = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();|&<>")
        lexer.whitespace_split = True
        words = []
        for word in [*lexer, ";"]:
            if set(word) <= set("();|&<>"):
                found += _inner(words)
                words = []
            else:
                words.append(word)
    return found


def _inner(words):
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if not words:
        return []
    if words[0] == "srun":
        return _inner(words[1:])
    if words[:2] == ["bash", "-c"]:
        return commands(words[2])
    if words[0] == "msrun":
        options = [word for word in words[1:] if word.startswith("--")]
        return _inner([word for word in words[1:] if word not in options[: _own_options(words)]])
    return [words]


def _own_options(words):
    """Number of options before the program."""
    return next(i for i, word in enumerate(words[1:]) if not word.startswith("--"))


def parse(script, words):
    """Let a script read a command line, without doing its work.

    Args:
        script: path below the root, such as "tools/train_net.py".
        words: after the script's name.

    Returns:
        argparse's namespace.

    Raises:
        ValueError: the script refuses the words.
    """
    module = importlib.import_module(script.removesuffix(".py").replace("/", "."))
    name = next(name for name in _READERS if hasattr(module, name))
    before, real = sys.argv, argparse.ArgumentParser.parse_args

    def stop(self, args=None, namespace=None):
        raise _Parsed(real(self, args, namespace))

    # A variable of the shell stands for a number or a part of a word.
    sys.argv = [script, *(re.sub(r"\$\{?\w+\}?", "1", word) for word in words)]
    if name in ("run", "main"):
        argparse.ArgumentParser.parse_args = stop
    try:
        return getattr(module, name)()
    except _Parsed as parsed:
        return parsed.args[0]
    except SystemExit as error:
        raise ValueError(f"{script} refuses {shlex.join(words)}") from error
    finally:
        sys.argv, argparse.ArgumentParser.parse_args = before, real


def settings(arguments):
    """KEY VALUE pairs among a script's arguments.

    Args:
        arguments: what `parse` gives.
    """
    return list(getattr(arguments, "opts", None) or [])


def make_targets_and_variables():
    """What the Makefile has for a command line."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)[1].split()
    return set(targets), set(re.findall(r"^(\w+) :=", text, flags=re.MULTILINE))


def is_placeholder(word):
    """Tell whether a word stands for one of the reader's, such as FILE or PATH/TO/IMAGES."""
    return bool(re.fullmatch(r"[A-Z0-9_/]+(\.\w+)?", Path(word).as_posix()))
