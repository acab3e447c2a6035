"""The tests of the page name the package that they miss."""

import pytest

from .browser import chromium


def test_without_chromium_the_error_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="apt install chromium"), chromium():
        pass
