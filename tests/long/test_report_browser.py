# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report in a real browser: three and 300 hosts, on screens of 400, 1200 and 2400 pixels, and printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser, running
from support.report_page import troubled_page

WIDTHS = (400, 1200, 2400)
# Texts that a reader needs and that are cut off or overlap: empty if there is none.
OUTSIDE = """
Array.from(document.querySelectorAll('section, h1, h2, p, li, svg, .scroll'))
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1 || one.getBoundingClientRect().left < -1)
  .map(one => one.tagName + ' ' + one.textContent.trim().slice(0, 40))
"""
CUT_NAMES = """
Array.from(document.querySelectorAll('svg')).flatMap(svg => Array.from(svg.querySelectorAll('text')).filter(text => {
  const [inner, outer] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
  return inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.top < outer.top - 1
    || inner.bottom > outer.bottom + 1;
}).map(text => text.textContent))
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, which all tests share."""
    with running(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="module", params=[3, 300])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with this number of hosts."""
    file = tmp_path_factory.mktemp("report") / f"{request.param}.html"
    file.write_text(troubled_page(request.param), encoding="utf-8")
    return file


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_report_opens_without_an_error_and_fits_the_screen(
    browser: Browser, report: Path, width: int, dark: bool
) -> None:
    browser.open(report, width, dark=dark)
    assert browser.complaints == []
    assert browser.value("innerWidth") == width
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value(OUTSIDE) == []
    assert browser.value(CUT_NAMES) == []
    back = browser.value("getComputedStyle(document.body).backgroundColor")
    assert back == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")
    assert browser.picture(width, 900).startswith(b"\x89PNG")


def test_the_report_is_readable_when_printed_from_a_dark_screen(browser: Browser, report: Path) -> None:
    browser.open(report, 1200, dark=True)
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.value("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    browser.call("Emulation.setEmulatedMedia", media="")
    assert browser.pdf().startswith(b"%PDF")
    assert browser.complaints == []


def test_a_failing_page_is_noticed(browser: Browser, tmp_path: Path) -> None:
    """The other tests can fail: errors, foreign requests and wide pages are seen."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<style>body { margin: 0 } section { width: 900px }</style><section>wide</section>"
        "<script>console.error('wrong'); fetch('http://127.0.0.1:1/').catch(() => 0); nothing()</script>"
    )
    browser.open(page, 400)
    assert len(browser.complaints) >= 3
    assert browser.value("document.documentElement.scrollWidth") > 400
    assert browser.value(OUTSIDE) == ["SECTION wide"]
