"""Hooks of MkDocs: pages may link to files of the repository outside docs/.

Such a link works on GitHub as it is written. For the site, the file becomes a page: a document as
it is, a source file as a block of code. A link to a file that does not exist stays as it is, and
`mkdocs build --strict` refuses it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parents[2]
INCLUDED = "repository/"
LANGUAGES = {".py": "python", ".yml": "yaml", ".toml": "toml"}
_FENCE = re.compile(r"(^[ ]*```.*?^[ ]*```$)", flags=re.DOTALL | re.MULTILINE)
_NEEDS = re.compile(r"^( *)<!-- needs: (.*) -->$", flags=re.MULTILINE)
# The words of a Chinese page for what blocks need.
_CHINESE_NEEDS = {
    "cluster": "集群",
    "data": "数据",
    "gpu": "GPU",
    "network": "网络",
    "original": "原实现",
    "time": "较长时间",
}
_LINK = re.compile(r"(?<=\]\()([^)\s#]+)")


def repository_path(src_uri: str) -> str:
    """Path below the repository's root of a page of the site."""
    if not src_uri.startswith(INCLUDED):
        return f"docs/{src_uri}"
    return src_uri[len(INCLUDED) :].removesuffix(".source.md")


def page_of(path: str) -> str:
    """The page of the site for a file of the repository; the inverse of `repository_path`."""
    if path.startswith("docs/"):
        return path[len("docs/") :]
    return INCLUDED + (path if path.endswith(".md") else f"{path}.source.md")


def target_of(link: str, page: str) -> str | None:
    """The file of the repository that a link on a page leads to, None if it is not one."""
    if re.match(r"\w+:|/", link):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(repository_path(page)), link))
    return path if (ROOT / path).is_file() else None


def rewrite(markdown: str, page: str) -> str:
    """Let the links of a page lead to pages of the site."""

    def replace(match: re.Match[str]) -> str:
        path = target_of(match[1], page)
        here = posixpath.dirname(page) or "."
        return posixpath.relpath(page_of(path), here) if path else match[1]

    return _outside_blocks(markdown, lambda text: _LINK.sub(replace, text))


def is_chinese(page: str) -> bool:
    """Tell whether a page is one of the Chinese ones."""
    return page.startswith("zh/") or page.endswith(".zh-CN.md")


def show_needs(markdown: str, page: str) -> str:
    """Say above a block that tests do not run it, and why, in the language of the page."""
    if is_chinese(page):
        return _NEEDS.sub(_needs_in_chinese, markdown)
    return _NEEDS.sub(r"\1*Not run by the tests; needs: \2.*\n", markdown)


def _needs_in_chinese(match: re.Match[str]) -> str:
    needs = "、".join(_CHINESE_NEEDS[need] for need in match[2].split(", "))
    return f"{match[1]}*测试不运行此代码块；需要：{needs}。*\n"


def linked_files(markdown: str, page: str) -> list[str]:
    """Files of the repository that a page links to, outside docs/."""
    links = _LINK.findall(_FENCE.sub("", markdown))
    targets = (target_of(link, page) for link in links)
    return [path for path in targets if path and not path.startswith("docs/")]


def text_of(path: str) -> str:
    """What the page of a file outside docs/ shows."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    language = LANGUAGES.get(Path(path).suffix, "text")
    return f"# {path}\n\n````{language}\n{text}````\n"


def _outside_blocks(markdown: str, change: Callable[[str], str]) -> str:
    parts = _FENCE.split(markdown)
    return "".join(part if n % 2 else change(part) for n, part in enumerate(parts))


def on_files(files: Files, config: Any) -> Files:
    """Add the files outside docs/ that pages, or these files themselves, link to."""
    queue = [(file.src_uri, file.content_string) for file in files.documentation_pages()]
    while queue:
        page, text = queue.pop()
        for path in linked_files(text, page):
            if files.get_file_from_path(page_of(path)) is None:
                content = text_of(path)
                file = File.generated(config, page_of(path), content=content)
                file.inclusion = (
                    InclusionLevel.NOT_IN_NAV
                )  # the navigation may name it all the same
                files.append(file)
                queue.append((page_of(path), content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite the links of each page and show what blocks need."""
    uri = page.file.src_uri
    return show_needs(rewrite(markdown, uri), uri)
