"""Templates of issues and pull requests, the citation and the release agree with the repository."""

import re
from pathlib import Path

import pytest
import yaml

import fastreid
from fastreid.utils.collect_env import collect_env_info
from test.docs.commands import make_targets_and_variables
from test.docs.test_references import FILES

ROOT = Path(__file__).parents[1]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
TEMPLATES = [*FORMS, ROOT / ".github" / "pull_request_template.md"]
# The elements of GitHub's issue forms -> attributes that they must have.
ELEMENTS = {
    "markdown": "value",
    "textarea": "label",
    "dropdown": "options",
    "checkboxes": "options",
}


def read_yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_has_what_github_needs(path):
    form = read_yaml(path)
    assert {"name", "description", "body"} <= set(form)
    asked = [element for element in form["body"] if element["type"] != "markdown"]
    assert len({element["id"] for element in asked}) == len(asked)
    assert any(element.get("validations", {}).get("required") for element in asked)
    for element in form["body"]:
        attributes = element["attributes"]
        assert attributes[ELEMENTS[element["type"]]]
        # YAML reads a bare yes or no as a truth value, which GitHub refuses.
        assert all(isinstance(option, str) for option in attributes.get("options", ()))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_name_files_and_targets_that_exist(path):
    text = path.read_text(encoding="utf-8")
    targets, _ = make_targets_and_variables()
    assert set(re.findall(r"`make ([\w-]+)`", text)) <= targets
    spans = "\n".join(re.findall(r"`([^`\n]+)`", text))
    for name in [*re.findall(FILES, spans), *re.findall(r"\b[A-Z][A-Z.a-zCN-]+\.md\b", text)]:
        assert (ROOT / name).exists(), name


def test_the_environment_of_a_report_has_the_version_and_the_packages():
    told = collect_env_info()
    assert re.search(rf"fastreid +{re.escape(fastreid.__version__)}", told)
    assert "mindspore" in told


def test_the_citation_is_that_of_the_readme_and_of_the_newest_release():
    citation = read_yaml(ROOT / "CITATION.cff")
    paper = citation["preferred-citation"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    entry = dict(re.findall(r"^  (\w+) += \{(.*)\},?$", readme, flags=re.MULTILINE))
    assert paper["title"] == entry["title"]
    authors = [f"{each['family-names']}, {each['given-names']}" for each in paper["authors"]]
    assert " and ".join(authors) == entry["author"]
    assert f"{paper['start']}--{paper['end']}" == entry["pages"]
    assert str(paper["year"]) == entry["year"]
    assert paper["collection-title"] == entry["booktitle"]
    assert paper["publisher"]["name"] == entry["publisher"]

    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.search(r"^## (\d+\.\d+\.\d+) - (\S+)$", changelog, re.MULTILINE).groups()
    assert version == citation["version"] == fastreid.__version__
    assert date == str(citation["date-released"])
