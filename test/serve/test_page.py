"""The page in a real Chromium: what people do with it, also by keyboard and on a narrow screen."""

from pathlib import Path

import pytest
from PIL import Image

from fastreid.gallery import Description, open_gallery

from .browser import chromium, held_answer, search
from .screenshot import draw
from .serving import NUMBER, encoded, served

pytestmark = pytest.mark.zoo
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser, client):
    """The page, whose errors and requests to other servers fail the test."""
    yield from opened(browser, client)


def opened(browser, client, **options):
    context = browser.new_context(**options)
    page = context.new_page()
    faults, base = [], str(client.base_url)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Policy" in line.text else None)
    page.on("request", lambda r: r.url.startswith((base, "blob:", "data:")) or faults.append(r.url))
    page.goto(base)
    page.wait_for_selector("main:visible, #sign-in:visible")
    yield page
    context.close()
    assert faults == []


def cards(page):
    return page.locator(".card").all_inner_texts()


def alert(page):
    return page.locator("#error:visible").inner_text()


def test_a_photo_finds_itself_with_picture_and_labels(page, place):
    assert page.locator("#summary").inner_text() == "12 images · 4 identities · 2 cameras"
    page.fill("#top", "5")
    search(page, place.photo(7))
    first, *others = cards(page)
    assert first.split("\n")[:8] == [
        *("1", "Distance", "0.000", "Identity", "2", "Camera", "b", "Time")
    ]
    assert first.endswith("7.png")
    assert len(others) == 4
    images = page.locator(".card img")
    assert images.first.get_attribute("alt") == "Rank 1, identity 2, camera b"
    assert images.first.evaluate("image => image.naturalWidth") == 24
    assert page.locator("#status").inner_text().startswith("5 results in 0.")


def test_several_crops_are_averaged_and_may_be_removed(page, place):
    search(page, place.photo(1), place.photo(2))
    assert "for the mean of 2 pictures" in page.locator("#status").inner_text()
    page.get_by_role("button", name="Remove 1.png").click()
    search(page)
    assert "2.png" in cards(page)[0]
    assert "mean" not in page.locator("#status").inner_text()


def test_a_photo_may_be_dropped(page, place):
    content = list(place.photo(3).read_bytes())
    transfer = page.evaluate_handle(
        """content => {
            const transfer = new DataTransfer();
            const file = new File([new Uint8Array(content)], "dropped.png", {type: "image/png"});
            transfer.items.add(file);
            return transfer;
        }""",
        content,
    )
    # Besides the box, where the browser itself would open the picture instead of the page.
    page.dispatch_event("header", "drop", {"dataTransfer": transfer})
    page.get_by_role("button", name="Remove dropped.png").wait_for()
    page.click("#go")
    page.wait_for_selector(".card")
    assert "3.png" in cards(page)[0]


def test_filters_threshold_and_re_ranking_reach_the_server(page, place):
    page.fill("#top", str(NUMBER))
    page.click("summary")
    page.get_by_label("Only identities").fill("1, 3")
    page.get_by_label("only these").check()
    page.get_by_label("b", exact=True).check()
    page.get_by_label("Re-rank").check()
    search(page, place.photo(0))
    assert len(cards(page)) == 4
    assert all("Re-ranked" in card and "Camera\nb" in card for card in cards(page))
    page.get_by_label("Smallest similarity").fill("1")
    page.get_by_label("Only identities").fill("9")
    search(page)
    assert cards(page) == []
    assert page.locator("#status").inner_text().startswith("Nothing was found with these filters")


def test_times_are_those_of_the_reader(browser, client, place):
    for page in opened(browser, client, timezone_id="Asia/Tokyo"):
        page.click("summary")
        page.fill("#since", "1970-01-01T09:02:00")
        page.fill("#before", "1970-01-01T09:05:00")
        search(page, place.photo(0))
        assert sorted(card.split()[-1] for card in cards(page)) == ["2.png", "3.png", "4.png"]


def test_an_unreadable_file_is_named_and_the_next_search_works(page, place, tmp_path):
    file = tmp_path / "holiday <b>.png"
    file.write_bytes(b"no picture")
    search(page, file)
    assert alert(page).startswith("holiday <b>.png is not a picture that can be read.")
    assert cards(page) == []
    page.get_by_role("button", name="Remove").click()
    search(page, place.photo(0))
    assert not page.locator("#error").is_visible()
    assert "0.png" in cards(page)[0]


def test_an_aborted_search_does_not_change_what_the_next_one_shows(page, place):
    with held_answer(page, "api/search") as wait:
        page.set_input_files("#files", [str(place.photo(3))])
        page.click("#go")
        wait()
        search(page)
        shown, status = cards(page), page.locator("#status").inner_text()
        assert len(shown) == 10
    assert cards(page) == shown
    assert page.locator("#status").inner_text() == status
    assert not page.locator("#error").is_visible()


def test_what_the_page_can_check_is_not_sent(page, place, tmp_path):
    page.click("#go")
    assert alert(page) == "Choose a picture of a person first."
    page.set_input_files("#files", [str(place.photo(0))])
    page.fill("#top", "101")
    page.click("#go")
    assert alert(page) == "The number of results must be from 1 to 100."
    page.fill("#top", "5")
    large = tmp_path / "large.png"
    large.write_bytes(b"x" * 33_000_000)
    page.set_input_files("#files", [str(large)])
    page.click("#go")
    assert alert(page).startswith("The pictures have more than 32 MB together")


def test_an_empty_gallery_is_said(browser, place, tmp_path):
    name = str(tmp_path / "empty")
    open_gallery(name, create=Description(6)).close()
    with served(place, gallery=name) as client:
        for page in opened(browser, client):
            status = page.locator("#status")
            assert status.inner_text().startswith("The gallery is empty")
            search(page, place.photo(0))
            assert status.inner_text().startswith("The gallery is empty")
            assert cards(page) == []


def test_everything_works_by_keyboard(page, place):
    def tab_to(name):
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == name:
                style = page.evaluate(
                    """() => {
                        const own = document.activeElement;
                        const shown = own.id === "files" ? own.parentElement : own;
                        return getComputedStyle(shown).outlineStyle;
                    }"""
                )
                assert style != "none", f"{name} shows no focus"
                return
        raise AssertionError(f"{name} cannot be reached")

    tab_to("files")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([str(place.photo(4)), str(place.photo(5))])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel") == "Remove 4.png"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.ariaLabel") == "Remove 5.png"
    tab_to("top")
    page.keyboard.press("Control+a")
    page.keyboard.type("3")
    tab_to("threshold")
    page.keyboard.press("ArrowRight")
    assert page.locator("#threshold-value").inner_text() == "-0.99"
    tab_to("rerank")
    page.keyboard.press("Space")
    tab_to("go")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card")
    assert len(cards(page)) == 3
    assert "5.png" in cards(page)[0]
    assert page.is_checked("#rerank")


def test_every_control_has_a_name(page, place):
    page.click("summary")
    search(page, place.photo(0))
    nameless = page.evaluate(
        """[...document.querySelectorAll("input, button")].filter(each => !(
            each.labels?.length || each.ariaLabel || each.textContent.trim()
        )).map(each => each.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("img:not([alt])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_needs_no_scrolling_to_the_side(browser, client, place, scheme):
    narrow = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme}
    for page in opened(browser, client, **narrow):
        width = "document.documentElement.scrollWidth"
        page.click("summary")
        assert page.evaluate(width) <= 360
        search(page, *(place.photo(i) for i in range(8)))
        assert len(cards(page)) == 10
        assert page.evaluate(width) <= 360
        wide = page.evaluate(
            """[...document.querySelectorAll("main *")].filter(
                each => each.getBoundingClientRect().right > 360).map(each => each.outerHTML)"""
        )
        assert wide == []
        page.locator("#found").scroll_into_view_if_needed()


def test_colours_have_enough_contrast_in_both_schemes(browser, client, place):
    for scheme in ("light", "dark"):
        for page in opened(browser, client, color_scheme=scheme):
            search(page, place.photo(0))
            for selector in ("h1", "#summary", "#status", "#go", ".hint", ".card dt", ".rank"):
                pair = page.locator(selector).first.evaluate(COLOURS)
                assert contrast(*pair) >= 4.5, (scheme, selector, pair)


# Colour of a text, and of the nearest background that is not transparent.
COLOURS = """own => {
    const numbers = text => text.match(/[\\d.]+/g).map(Number);
    for (let each = own; each; each = each.parentElement) {
        const back = numbers(getComputedStyle(each).backgroundColor);
        if (back.length === 3 || back[3] > 0.5) {
            return [numbers(getComputedStyle(own).color).slice(0, 3), back.slice(0, 3)];
        }
    }
}"""


def contrast(text, back):
    """The ratio of WCAG 2."""

    def luminance(colour):
        parts = [v / 255 for v in colour]
        parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), parts))

    low, high = sorted([luminance(text), luminance(back)])
    return (high + 0.05) / (low + 0.05)


def test_the_token_is_asked_for(browser, place):
    with served(place, token="the right token") as client:
        for page in opened(browser, client):
            assert not page.locator("main").is_visible()
            page.fill("#token", "the wrong token")
            page.keyboard.press("Enter")
            page.locator("#sign-in-error:visible", has_text="This is not the token.").wait_for()
            page.fill("#token", "the right token")
            page.keyboard.press("Enter")
            page.wait_for_selector("main:visible")
            search(page, place.photo(6))
            assert "6.png" in cards(page)[0]


def test_messages_of_the_server_are_shown(browser, place):
    with served(place, limits={"searches_per_minute": 1, "max_megapixels": 0.001}) as client:
        for page in opened(browser, client):
            search(page, place.photo(0))
            assert alert(page).startswith("0.png has more pixels than the 0.001 million")
            search(page)
            assert alert(page).startswith("Too many requests; try again in ")


def test_a_server_that_was_stopped_is_said(browser, place):
    with served(place) as client:
        pages = opened(browser, client)
        page = next(pages)
    search(page, place.photo(0))
    assert alert(page) == "The server does not answer. Is it still running?"
    assert next(pages, None) is None


def test_the_picture_of_the_readme_can_be_drawn(browser, client, place, tmp_path):
    draw(browser, str(client.base_url), tmp_path / "serve.png", [place.photo(0), place.photo(1)])
    with Image.open(tmp_path / "serve.png") as image:
        assert image.size == (1080, 700)
    for file in (tmp_path / "serve.png", ROOT / "docs" / "images" / "serve.png"):
        assert file.stat().st_size < 150_000


def test_file_names_are_text_and_nothing_else(page, tmp_path):
    file = tmp_path / "<img src=x onerror=alert(1)>.png"
    file.write_bytes(encoded((20, 40)))
    search(page, file)
    assert page.locator("#queries img").get_attribute("alt") == file.name
    assert page.locator("[onerror]").count() == 0
