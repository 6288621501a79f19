"""The console of a service that requires tokens."""

from contextlib import contextmanager

from depot import free_port
from work import DROP


@contextmanager
def service(at, *more):
    """Runs `modeldepot serve` with tokens beside the depot, and returns its tokens by scope."""
    server, tokens = at.server, at.server.folder / f"tokens-{free_port()}"
    made = {}
    for scope in ["read", "publish", "delete"]:
        said = server.run("token", "add", scope, "--scope", scope, "--tokens", tokens)
        made[scope] = next(word for word in said.split() if word.startswith("mdt_"))
    port = free_port()
    server.start(["serve", "--listen", f"127.0.0.1:{port}", "--tokens", str(tokens), *more])
    url, at.url = at.url, f"http://localhost:{port}"
    try:
        server.wait(at.url)
        yield made
    finally:
        at.url = url
        process = server.processes.pop()
        process.terminate()
        process.wait()


def log_in(page, token):
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_login_and_refused_login(at):
    with service(at) as tokens:
        page = at.page("/models/plant_classifier?sort=-size")
        assert "/login" in page.url and page.get_by_role("navigation", name="Main").count() == 0
        at.check(page)
        at.shot(page, "login-desktop")
        at.expected = {401, 403}
        log_in(page, "mdt_" + "x" * 43)
        page.get_by_role("alert").wait_for()
        assert "unknown token" in page.get_by_role("alert").inner_text().lower()
        at.check(page)
        at.shot(page, "login-refused-desktop")
        log_in(page, tokens["read"])
        page.wait_for_url("**/models/plant_classifier?sort=-size")
        cookie = next(it for it in page.context.cookies() if it["name"] == "modeldepot_session")
        assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
        # A token with scope `read` shows no forbidden actions, and requests for them are refused.
        assert page.get_by_role("navigation", name="Main").get_by_role("link", name="Publish").count() == 0
        page.goto(at.url + "/models/plant_classifier/versions/20251027_181812")
        assert page.get_by_text("Delete this version").count() == 0
        status = page.evaluate("""async () => {
          const csrf = document.querySelector("meta[name=csrf]").content;
          const body = new URLSearchParams({ csrf, typed: "plant_classifier@20251027_181812" });
          return (await fetch(location.pathname + "/delete", { method: "POST", body })).status;
        }""")
        assert status == 403, status
        assert page.goto(at.url + "/publish").status == 403
        page.goto(at.url + "/models/plant_classifier/versions/20251027_181812")
        page.get_by_role("button", name="Verify now").click()
        page.locator(".progress p.good").wait_for()
        page.get_by_role("button", name="Create link").click()
        page.locator("#shared-link").wait_for()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login")
        page.goto(at.url + "/")
        assert "/login" in page.url


def test_publishing_and_deleting_under_a_session(at):
    with service(at) as tokens:
        page = at.page("/publish")
        log_in(page, tokens["delete"])
        page.get_by_label("Model", exact=True).fill("by_session")
        page.locator("[data-drop]").evaluate(f"(zone, files) => ({DROP})(zone, files)", [["model.bin", "bytes", 1000]])
        page.get_by_role("button", name="Publish").click()
        page.wait_for_url("**/models/by_session/versions/*published=now")
        page.goto(at.url + "/buckets/data")
        page.get_by_label("Files for").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"})
        page.get_by_role("button", name="Upload").click()
        page.locator(".notice", has_text="Uploaded").wait_for()
        # The cookie alone is not enough: requests must come from one of our pages.
        at.expected = {403}
        for url in ["/buckets/data/delete", "/logout"]:
            status = page.evaluate(
                """async (url) => (await fetch(url, { method: "POST", body: new URLSearchParams({ key: "a.txt" }) })).status""", url
            )
            assert status == 403, url
        status = page.evaluate("""async () => {
          const body = new FormData();
          body.append("prefix", "");
          body.append("file", new File(["b"], "a.txt"));
          return (await fetch("/buckets/data/upload", { method: "POST", body })).status;
        }""")
        assert status == 403
        assert page.request.get(at.url + "/buckets/data/object?key=a.txt").body() == b"a"
        page.goto(at.url + "/models/by_session")
        page.locator(".versions tbody th a").click()
        page.get_by_text("Delete this version").click()
        page.get_by_label("Type").fill(page.locator("#typed").get_attribute("data-must-be"))
        page.get_by_role("button", name="Delete the version").click()
        page.locator(".notice", has_text="deleted").wait_for()


def test_a_read_only_console(at):
    with service(at, "--read-only") as tokens:
        page = at.page("/models/plant_classifier/versions/20251027_181812")
        log_in(page, tokens["delete"])
        page.get_by_role("heading", name="Fetch").wait_for()
        assert page.get_by_text("Delete this version").count() == 0
        assert page.get_by_role("navigation", name="Main").get_by_role("link", name="Publish").count() == 0
        at.check(page)
