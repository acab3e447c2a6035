"""Draw docs/images/serve.png: the page with the results of a search.

The commands of the README make the model and the gallery and start the server. Then:

    python -m test.serve.screenshot http://127.0.0.1:7860/ docs/images/serve.png QUERY.jpg ...
"""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from .browser import chromium, search

SIZE = {"width": 1080, "height": 700}
# The page has few colours; more would make the file larger than documents need.
COLOURS = 192


def draw(browser: Browser, address: str, output: Path, queries: Sequence[Path]) -> None:
    """Search for the queries and write a picture of the page."""
    page = browser.new_page(viewport=SIZE, color_scheme="light")
    page.goto(address)
    page.fill("#top", "12")
    page.check("#rerank")
    search(page, *queries)
    content = page.screenshot()
    page.close()
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").quantize(COLOURS).save(output, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("output", type=Path)
    parser.add_argument("queries", type=Path, nargs="+")
    arguments = parser.parse_args()
    with chromium() as started:
        draw(started, arguments.address, arguments.output, arguments.queries)
