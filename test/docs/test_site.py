"""The site has all pages, and its build fails on what is missing."""

import ast
import importlib.util
import re
import subprocess
import sys

import pytest
import yaml

from .markdown import NEEDS, ROOT

CONFIG = ROOT / "mkdocs.yml"


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml without calling what its tags name."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "tooling" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages_of(nav):
    for entry in nav:
        value = next(iter(entry.values())) if isinstance(entry, dict) else entry
        if isinstance(value, list):
            yield from pages_of(value)
        else:
            yield value


def test_every_page_is_in_the_navigation_once(hooks):
    nav = yaml.load(CONFIG.read_text(encoding="utf-8"), Loader)["nav"]
    files = [hooks.repository_path(page) for page in pages_of(nav)]
    assert len(set(files)) == len(files)
    assert [file for file in files if not (ROOT / file).is_file()] == []
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages <= set(files)


@pytest.mark.parametrize(
    ("page", "link", "rewritten"),
    [
        ("demo.md", "../CHANGELOG.md", "repository/CHANGELOG.md"),
        ("demo.md", "alignment.md#files", "alignment.md#files"),
        ("demo.md", "../setup.py", "repository/setup.py.source.md"),
        ("faq.md", "../datasets/README.md#checks", "repository/datasets/README.md#checks"),
        ("migration/workflow.md", "../alignment.md", "../alignment.md"),
        ("migration/workflow.md", "../../setup.py", "../repository/setup.py.source.md"),
        ("repository/README.md", "docs/demo.md", "../demo.md"),
        ("repository/README.md", "LICENSE", "LICENSE.source.md"),
        ("repository/datasets/README.md", "../docs/demo.md", "../../demo.md"),
        ("demo.md", "../missing.md", "../missing.md"),
        ("demo.md", "https://www.mindspore.cn", "https://www.mindspore.cn"),
        ("demo.md", "#scores", "#scores"),
    ],
)
def test_links_lead_to_pages_of_the_site(hooks, page, link, rewritten):
    assert hooks.rewrite(f"See [it]({link}).", page) == f"See [it]({rewritten})."


def test_links_in_blocks_of_code_stay(hooks):
    text = "```text\n[it](../setup.py)\n```\n"
    assert hooks.rewrite(text, "demo.md") == text
    assert hooks.linked_files(text, "demo.md") == []


@pytest.mark.parametrize("path", ["docs/demo.md", "README.md", "fastreid/config/defaults.py"])
def test_a_file_and_its_page_belong_together(hooks, path):
    assert hooks.repository_path(hooks.page_of(path)) == path


def test_what_a_block_needs_is_shown(hooks):
    text = "Run it:\n\n<!-- needs: gpu, data -->\n```bash\nls\n```\n"
    assert "*Not run by the tests; needs: gpu, data.*\n" in hooks.show_needs(text, "demo.md")


@pytest.mark.parametrize("page", ["zh/INSTALL.md", "repository/README.zh-CN.md"])
def test_chinese_pages_say_in_chinese_what_a_block_needs(hooks, page):
    text = "<!-- needs: gpu, data -->\n```bash\nls\n```\n"
    shown = hooks.show_needs(text, page)
    assert shown.startswith("*测试不运行此代码块；需要：GPU、数据。*\n")


def test_all_that_blocks_need_has_a_chinese_word(hooks):
    text = "".join(f"<!-- needs: {need} -->\n" for need in NEEDS)
    assert not any(need in hooks.show_needs(text, "zh/x.md") for need in NEEDS)


def builds(test):
    """Mark a test that builds a site."""
    is_old = sys.version_info < (3, 11)
    return pytest.mark.zoo(pytest.mark.skipif(is_old, reason="the theme needs 3.11")(test))


def build(config, folder):
    """Build a site; not with --quiet, which hides warnings from --strict."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "mkdocs", "build", "--strict"),
            *("--config-file", str(config), "--site-dir", str(folder)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@builds
def test_the_site_is_built_without_a_warning(tmp_path):
    done = build(CONFIG, tmp_path / "site")
    assert done.returncode == 0, done.stdout + done.stderr
    for path in sorted((ROOT / "fastreid").glob("*/__init__.py")):
        package = path.parent.name
        html = tmp_path / "site" / "reference" / "api" / package / "index.html"
        shown = set(re.findall(r'id="fastreid\.[\w.]*?(\w+)"', html.read_text(encoding="utf-8")))
        functions = {name for name in public_names(path) if not name.isupper()}
        assert functions <= shown, package


def public_names(path):
    """The names in ``__all__``; constants are in upper case."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return ast.literal_eval(node.value)
    return []


@builds
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[x](missing.md)", "missing.md"),
        ("[x](../missing.py)", "missing.py"),
        ("[x](#missing)", "#missing"),
        ("::: fastreid.config.missing", "fastreid.config.missing"),
        ("[x][fastreid.config.missing]", "fastreid.config.missing"),
    ],
)
def test_what_is_missing_fails_the_build(text, message, tmp_path):
    done = build_page(text, tmp_path)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


@builds
def test_a_page_without_a_mistake_is_built(tmp_path):
    done = build_page("# Title\n\n[x](#title)\n\n::: fastreid.config.CfgNode", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def build_page(text, tmp_path):
    """Build a site of one page with the settings of the real one."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(text, encoding="utf-8")
    settings = CONFIG.read_text(encoding="utf-8")
    before, _, after = settings.partition("\nnav:\n")
    settings = before + "\n" + after.partition("\n\n")[2]
    settings = settings.replace("docs_dir: docs", f"docs_dir: {tmp_path / 'docs'}")
    settings = settings.replace("[docs/tooling/", f"[{ROOT}/docs/tooling/")
    settings = settings.replace("paths: [.]", f"paths: [{ROOT}]")
    config = tmp_path / "mkdocs.yml"
    config.write_text(settings, encoding="utf-8")
    return build(config, tmp_path / "site")
