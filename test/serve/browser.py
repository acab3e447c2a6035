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


@contextlib.contextmanager
def held_answer(page, path):
    """Hold the body of the next answer of a path, which is aborted at the end of the block."""
    page.evaluate(_HOLD, path)
    yield lambda: wait_until(page, "window.abortHeld")
    page.evaluate("window.abortHeld()")


_HOLD = """path => {
    const send = window.fetch;
    window.fetch = async (asked, options) => {
        const response = await send(asked, options);
        if (asked === path) {
            window.fetch = send;
            response.json = () => new Promise((_, reject) => {
                window.abortHeld = () => reject(new DOMException("aborted", "AbortError"));
            });
        }
        return response;
    };
}"""


def wait_until(page, condition):
    """Wait for an expression; the page's policy forbids Playwright to wait inside the page."""
    deadline = time.monotonic() + 30
    while not page.evaluate(f"Boolean({condition})") and time.monotonic() < deadline:
        time.sleep(0.05)


def search(page, *files):
    """Choose pictures, search, and wait for the answer."""
    page.set_input_files("#files", [str(file) for file in files])
    page.click("#go")
    page.wait_for_selector("#found[aria-busy=false]")
    wait_until(page, _LOADED)
