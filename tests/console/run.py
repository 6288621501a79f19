"""Tests the console in a real Chromium, driven by Playwright: `run.py BINARY CHROMIUM AXE OUT [FILTER]`.

Each test has a browser context of its own. A test also fails when a page logs an error or sends a request to another
host. OUT gets screenshots of every page.
"""

import sys
import time
import traceback
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

import closed
import depot
import foreign
import pages
import work

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]


class Browser:
    """The argument of a test: the depot, monitored pages, and axe."""

    def __init__(self, chromium, server, axe, out):
        self.chromium, self.server, self.axe, self.out = chromium, server, axe, out
        self.contexts, self.wrong, self.last = [], [], None
        # What the browser logs for statuses that a test causes deliberately.
        self.expected = set()
        self.url = server.url

    def page(self, url=None, **options):
        context = self.chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(10_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self.logged)
        page.on("pageerror", lambda error: self.wrong.append(f"script error on {page.url}: {error}"))
        page.on("request", self.asked)
        if url is not None:
            page.goto(self.url + url)
        return page

    def logged(self, message):
        expected = any(f"status of {status}" in message.text for status in self.expected)
        if message.type in ("error", "warning") and not expected:
            self.wrong.append(f"the browser logs: {message.text} ({message.location.get('url', '')})")

    def asked(self, request):
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.hostname not in ("localhost", "127.0.0.1"):
            self.wrong.append(f"a request to another host: {request.url}")

    def check(self, page):
        """Runs axe on a page."""
        # Evaluated by the debugger, since the page's policy allows no scripts.
        page.evaluate(self.axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        for violation in found:
            places = [node["html"][:160] for node in violation["nodes"][:3]]
            self.wrong.append(f"axe on {page.url}: {violation['id']}, {violation['help']}: {places}")

    def shot(self, page, name, full_page=True):
        page.screenshot(path=self.out / f"{name}.png", full_page=full_page)

    def close(self):
        for context in self.contexts:
            context.close()
        self.contexts.clear()


def main(binary, chromium, axe, out, wanted=""):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    axe = Path(axe).read_text()
    tests = [
        (name, test)
        for module in (pages, work, closed, foreign)
        for name, test in vars(module).items()
        if name.startswith("test_") and wanted in name
    ]
    failed = 0
    with depot.Depot(binary) as server, sync_playwright() as playwright:
        begun = time.monotonic()
        depot.fill(server)
        print(f"filled the buckets in {time.monotonic() - begun:.1f} s", flush=True)
        # Playwright launches it with a temporary profile.
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for name, test in tests:
            at = Browser(browser, server, axe, out)
            begun = time.monotonic()
            try:
                test(at)
            except Exception:
                at.wrong.append(traceback.format_exc(limit=-4))
            at.close()
            took = time.monotonic() - begun
            print(f"{'FAILED' if at.wrong else 'ok    '} {took:5.1f} s  {name[5:].replace('_', ' ')}", flush=True)
            for line in at.wrong[:20]:
                print(f"    {line}", flush=True)
            failed += bool(at.wrong)
        browser.close()
    print(f"{len(tests) - failed} passed, {failed} failed; screenshots are in {out}")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
