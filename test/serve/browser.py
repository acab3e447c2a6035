"""A real browser, headless."""

import contextlib
import shutil
import time

from playwright.sync_api import sync_playwright

# Pictures of results load when they are seen.
_LOADED = "[...document.querySelectorAll('.picture img')].slice(0, 6).every(each => each.complete)"
NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextlib.contextmanager
def chromium():
    """Start Chromium; without one, the error names the package to install."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise RuntimeError("There is no Chromium. On Debian and Ubuntu: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def search(page, *files):
    """Choose pictures, search, and wait for the answer."""
    page.set_input_files("#files", [str(file) for file in files])
    page.click("#go")
    page.wait_for_selector("#found[aria-busy=false]")
    # The page's policy forbids Playwright to wait inside the page.
    deadline = time.monotonic() + 30
    while not page.evaluate(_LOADED) and time.monotonic() < deadline:
        time.sleep(0.05)
