"""The button "Why?" of the page in a real Chromium."""

import pytest

from .browser import chromium, held_answer, search
from .serving import served
from .test_page import COLOURS, contrast, opened

pytestmark = pytest.mark.zoo

FOCUSED = "document.activeElement.textContent"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def explaining(checkpoint_place):
    with served(checkpoint_place) as client:
        yield client


def ask_why(page, rank):
    page.get_by_role("button", name=f"Why? Rank {rank}", exact=True).click()
    page.wait_for_selector("#why-answer:visible")


def value(page, name):
    return float(page.locator(f"#why-{name}").inner_text().replace("−", "-"))


def test_the_dialog_shows_both_pictures_and_numbers(browser, explaining, checkpoint_place):
    for page in opened(browser, explaining):
        search(page, checkpoint_place.photo(3))
        similarity = page.locator(".score").nth(1).get_attribute("title")
        ask_why(page, 2)
        assert page.get_by_role("dialog", name="Why rank 2?").is_visible()
        for name in ("query", "result"):
            picture = page.locator(f"#why-{name}")
            assert picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [
                32,
                64,
            ]
        assert value(page, "cosine") == pytest.approx(float(similarity.split()[-1]), abs=1e-3)
        parts = [value(page, each) for each in ("query-places", "result-places", "bias", "rest")]
        assert sum(parts) == pytest.approx(value(page, "cosine"), abs=3e-3)
        assert "Red places make" in page.locator("#why").inner_text()
        assert not page.locator("#why-note").is_visible()
        assert not page.locator("#why-status").inner_text()


def test_the_dialog_works_by_keyboard_and_gives_the_focus_back(
    browser, explaining, checkpoint_place
):
    for page in opened(browser, explaining):
        search(page, checkpoint_place.photo(3))
        button = page.get_by_role("button", name="Why? Rank 1", exact=True)
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#why-answer:visible")
        assert page.evaluate(FOCUSED) == "Close"
        for _ in range(4):
            page.keyboard.press("Tab")
            assert page.evaluate("!document.activeElement.closest('main')")
        page.keyboard.press("Escape")
        assert not page.locator("#why").is_visible()
        assert page.evaluate(FOCUSED) == "Why?"
        assert page.evaluate("document.activeElement.ariaLabel") == "Why? Rank 1"
        page.keyboard.press("Space")
        page.wait_for_selector("#why-answer:visible")
        page.keyboard.press("Enter")
        assert not page.locator("#why").is_visible()


def test_of_several_pictures_the_first_is_explained(browser, explaining, checkpoint_place):
    for page in opened(browser, explaining):
        search(page, checkpoint_place.photo(3), checkpoint_place.photo(4))
        ask_why(page, 1)
        note = page.locator("#why-note").inner_text()
        assert note.startswith("This compares the first of your 2 pictures")


def test_a_closed_dialog_asks_no_longer(browser, explaining, checkpoint_place):
    for page in opened(browser, explaining):
        search(page, checkpoint_place.photo(3))
        page.route("**/api/explain", lambda route: None)
        page.get_by_role("button", name="Why? Rank 1", exact=True).click()
        assert page.locator("#why-status").inner_text() == "Comparing the two pictures …"
        page.keyboard.press("Escape")
        page.unroute("**/api/explain")
        ask_why(page, 2)
        assert page.locator("#why-title").inner_text() == "Why rank 2?"
        assert not page.locator("#why-error").is_visible()


def test_an_answer_that_is_aborted_by_closing_is_not_shown(browser, explaining, checkpoint_place):
    for page in opened(browser, explaining):
        search(page, checkpoint_place.photo(3))
        with held_answer(page, "api/explain") as wait:
            page.get_by_role("button", name="Why? Rank 1", exact=True).click()
            wait()
            page.keyboard.press("Escape")
        for name in ("answer", "error"):
            assert page.locator(f"#why-{name}").get_attribute("hidden") is not None
        ask_why(page, 2)
        assert page.locator("#why-title").inner_text() == "Why rank 2?"


def test_a_refusal_is_shown(browser, checkpoint_place):
    with served(checkpoint_place, limits={"searches_per_minute": 1}) as client:
        for page in opened(browser, client):
            search(page, checkpoint_place.photo(3))
            page.get_by_role("button", name="Why? Rank 1", exact=True).click()
            page.wait_for_selector("#why-error:visible")
            assert page.locator("#why-error").inner_text().startswith("Too many requests")
            assert not page.locator("#why-answer").is_visible()
            assert not page.locator("#why-status").inner_text()


def test_there_is_no_button_for_what_cannot_be_explained(
    browser, client, place, checkpoint_place, tmp_path
):
    for page in opened(browser, client):
        search(page, place.photo(0))
        assert page.locator(".card").count() == 10
        assert page.locator(".actions button").count() == 0
    with served(checkpoint_place, image_roots=[tmp_path]) as other:
        for page in opened(browser, other):
            search(page, checkpoint_place.photo(0))
            assert page.locator(".card").count() == 10
            assert page.locator(".actions button").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dialog_fits_a_narrow_screen(browser, explaining, checkpoint_place, scheme):
    narrow = {"viewport": {"width": 360, "height": 640}, "color_scheme": scheme}
    for page in opened(browser, explaining, **narrow):
        search(page, checkpoint_place.photo(3))
        ask_why(page, 1)
        wide = page.evaluate(
            """[...document.querySelectorAll("#why *")].filter(
                each => each.getBoundingClientRect().right > 360).map(each => each.outerHTML)"""
        )
        assert wide == []
        boxes = [page.locator(f"#why-{name}").bounding_box() for name in ("query", "result")]
        assert boxes[0]["y"] == boxes[1]["y"]
        for selector in ("#why h2", "#why dd", "#why .hint", "#why figcaption"):
            pair = page.locator(selector).first.evaluate(COLOURS)
            assert contrast(*pair) >= 4.5, (scheme, selector, pair)
