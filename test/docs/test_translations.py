"""The Chinese documents name the commands, keys and files of the English ones."""

import ast
import re

import pytest
import yaml

from .commands import commands
from .markdown import ROOT, TRANSLATIONS, blocks, code_spans, read

PAIRS = [pytest.param(*pair, id=pair[0].stem) for pair in TRANSLATIONS.items()]
ORIGINAL_OF = {translation: document for document, translation in TRANSLATIONS.items()}


def content(block):
    """What a block says apart from comments and words."""
    if block.language == "bash":
        return commands(block.text)
    if block.language == "python":
        return ast.dump(ast.parse(block.text))
    if block.language == "yaml":
        return yaml.safe_load(block.text)
    # Output and trees of files: names and numbers.
    return re.findall(r"[\w.-]*[\d/][\w./-]*", block.text)


def linked_files(document):
    """Files and addresses that a document links to; a translation counts as its original."""
    targets = re.findall(r"\]\(([^)\s]+)\)", read(document))
    found = set()
    for target in {target.partition("#")[0] for target in targets} - {""}:
        if target.startswith("https://"):
            found.add(target)
        else:
            path = (document.parent / target).resolve()
            found.add(ORIGINAL_OF.get(path, path).relative_to(ROOT).as_posix())
    return found


def headings(document):
    outside = re.sub(r"^(\s*)```.*?^\1```$", "", read(document), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^(#+) ", outside, flags=re.MULTILINE)


def assert_same(original, translation, found, what):
    """Compare sets of names, and say which are missing where."""
    wanted, got = set(found(original)), set(found(translation))
    missing, surplus = sorted(wanted - got), sorted(got - wanted)
    name, other = (path.relative_to(ROOT) for path in (original, translation))
    assert not missing, f"{other} lacks these {what} of {name}: {missing}"
    assert not surplus, f"{name} lacks these {what} of {other}: {surplus}"


@pytest.mark.parametrize(("original", "translation"), PAIRS)
def test_a_translation_has_the_code_spans_of_the_original(original, translation):
    assert_same(original, translation, code_spans, "code spans")


@pytest.mark.parametrize(("original", "translation"), PAIRS)
def test_a_translation_links_to_the_files_of_the_original(original, translation):
    assert_same(original, translation, linked_files, "links")


@pytest.mark.parametrize(("original", "translation"), PAIRS)
def test_a_translation_has_the_blocks_of_the_original(original, translation):
    wanted, got = blocks(original), blocks(translation)
    for ours, theirs in zip(wanted, got):
        assert (ours.language, ours.needs) == (theirs.language, theirs.needs), theirs
        assert content(ours) == content(theirs), f"{theirs} differs from {ours}"
    assert len(wanted) == len(got), f"{original} has {len(wanted)} blocks, {translation} {len(got)}"


@pytest.mark.parametrize(("original", "translation"), PAIRS)
def test_a_translation_has_the_sections_and_tables_of_the_original(original, translation):
    assert headings(original) == headings(translation)
    rows = [len(re.findall(r"^\|", read(path), re.MULTILINE)) for path in (original, translation)]
    assert rows[0] == rows[1], f"{original.name} has {rows[0]} table rows, {translation} {rows[1]}"


@pytest.mark.parametrize(("original", "translation"), PAIRS)
def test_both_languages_link_to_each_other_at_the_top(original, translation):
    for document, other in ((original, translation), (translation, original)):
        lines = read(document).splitlines()
        line = next(line for line in lines if line and not line.startswith(("#", "<!--")))
        links = re.findall(r"\]\(([^)]+)\)", line)
        assert [(document.parent / link).resolve() for link in links] == [other]
