"""What the source says about each configuration key: its comment, and the files that read it."""

import ast
import re
from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

from fastreid.config import CfgNode, get_cfg

from .markdown import ROOT

DEFAULTS = ROOT / "fastreid" / "config" / "defaults.py"
SOURCES = ("fastreid", "tools")


class Key(NamedTuple):
    """A key, its default value, and the comment above it."""

    name: str
    default: object
    meaning: str


def all_keys():
    """Every key, in the order of defaults.py."""
    meanings = comments(DEFAULTS.read_text(encoding="utf-8"))
    return [
        Key(name, value, meanings[name]) for name, value in sorted_leaves(get_cfg(), list(meanings))
    ]


def sorted_leaves(cfg, order):
    """(name, value) of all keys that are no sections."""
    found = dict(leaves(cfg))
    assert set(found) == set(order), set(found) ^ set(order)
    return [(name, found[name]) for name in order]


def leaves(node, prefix=""):
    for name, value in node.items():
        if isinstance(value, CfgNode):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def comments(source):
    """The comment of each key.

    Args:
        source: text of defaults.py.

    Returns:
        By the key's full name: the comment block above its assignment, or above the assignments
        that it follows without an empty line.
    """
    lines = source.splitlines()
    sections, found = {}, {}
    for function in [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]:
        for node in function.body:
            if not isinstance(node, ast.Assign):
                continue
            for target in node.targets:
                if isinstance(target, ast.Attribute) and is_section(node.value):
                    sections[called(node.value)] = target.attr
    for function in [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]:
        names = {}
        for node in [n for n in function.body if isinstance(n, ast.Assign)]:
            read_assignment(node, names, sections.get(function.name, ""), lines, found)
    return {name: text for name, text in found.items() if text is not None}


def read_assignment(node, names, section, lines, found):
    """Add the keys of one assignment; `names` has the prefix of each local variable."""
    (*attributes,) = [t for t in node.targets if isinstance(t, ast.Attribute)]
    if not attributes:
        if isinstance(node.value, ast.Call):
            names[node.targets[0].id] = f"{section}." if section else ""
        return
    (target,) = attributes
    name = names[target.value.id] + target.attr
    for variable in [t for t in node.targets if isinstance(t, ast.Name)]:
        names[variable.id] = f"{name}."
    inner = nested_keys(node.value)
    if inner is None:
        inner = [] if is_section(node.value) or isinstance(node.value, ast.Call) else [""]
        if isinstance(node.value, ast.Call) and called(node.value) in ("list", "tuple"):
            inner = [""]
    for key in inner:
        found[f"{name}.{key}" if key else name] = comment_above(node.lineno, lines)


def nested_keys(value):
    """Keys of CN({...}), None for anything else."""
    if isinstance(value, ast.Call) and value.args and isinstance(value.args[0], ast.Dict):
        return [key.value for key in value.args[0].keys]
    return None


def is_section(value):
    return isinstance(value, ast.Call) and called(value).startswith("_")


def called(value):
    return value.func.id if isinstance(value, ast.Call) else ""


def comment_above(number, lines):
    """The comment of the paragraph of code that ends with line `number`."""
    above = lines[: number - 1]
    start = len(above)
    while start and above[start - 1].strip():
        start -= 1
    block = above[start:]
    comment, is_open = [], False
    for line in block:
        text = line.strip()
        if text.startswith("#"):
            comment = [*comment, text] if is_open else [text]
        is_open = text.startswith("#")
    return " ".join(line.lstrip("# ") for line in comment)


@lru_cache(maxsize=1)
def uses():
    """For each key, the files that read it, sorted."""
    names = [name for name, _ in leaves(get_cfg())]
    found = defaultdict(set)
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != DEFAULTS:
                text = path.read_text(encoding="utf-8")
                for name in keys_read(ast.parse(text), names):
                    found[name].add(path.relative_to(ROOT).as_posix())
    return {name: sorted(found[name]) for name in names}


def keys_read(tree, names):
    """Keys that a file reads as attributes of a configuration or of a section of one."""
    aliases = section_variables(tree)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.isupper():
            variable, parts = chain(node)
            prefix = [p.split(".") for p in aliases.get(variable, [])] or [[]]
            for start in prefix:
                found |= match(".".join([*start, *parts]), names)
    return found


def section_variables(tree):
    """Variables that hold a section: their possible names, such as {"options": {"MODEL.HEADS"}}."""
    found = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            pairs = [(node.targets[0], node.value)]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(node.targets[0].elts, node.value.elts))
            for target, value in pairs:
                _, parts = chain(value)
                if isinstance(target, ast.Name) and parts:
                    found[target.id].add(".".join(parts))
    return found


def chain(node):
    """Name of the variable and the keys of `variable.MODEL.HEADS`; no keys for other nodes."""
    parts = []
    while isinstance(node, ast.Attribute) and re.fullmatch(r"[A-Z][A-Z0-9_]*", node.attr):
        parts.insert(0, node.attr)
        node = node.value
    return (node.id if isinstance(node, ast.Name) else "", parts)


def match(text, names):
    """The key of this name, or the only one that ends so."""
    if text in names:
        return {text}
    ends = [name for name in names if name.endswith(f".{text}")]
    return set(ends) if len(ends) == 1 else set()
