"""Pages of other origins against the S3 server beside the console, in a browser that has to isolate them."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PRECIOUS = b"precious\n"


class Blank(BaseHTTPRequestHandler):
    """A page of another origin, which does what the tests tell it."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>foreign</title><body>")

    def log_message(self, *_):
        pass


@contextmanager
def foreign_page(at):
    """An unmonitored page at another port: the browser logs every refused request."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = at.chromium.new_context()
    page = context.new_page()
    page.goto(f"http://localhost:{server.server_port}/")
    try:
        yield page
    finally:
        context.close()
        server.shutdown()


def signed(method, url):
    """Signs a request as the page could itself, since the login is public."""
    request = AWSRequest(method=method, url=url)
    S3SigV4QueryAuth(Credentials("minioadmin", "minioadmin"), "s3", "us-east-1", expires=600).add_auth(request)
    return request.url


def store(at):
    at.server.write("precious.txt", PRECIOUS)
    at.server.run("s3", "cp", "precious.txt", "s3://data/precious.txt")
    return f"{at.server.endpoint}/data/precious.txt"


def test_a_foreign_page_reads_nothing(at):
    url = signed("GET", store(at))
    with foreign_page(at) as page:
        answers = {}
        page.on("response", lambda answer: answers.setdefault(answer.request.resource_type, answer.status))
        script = """async ([url, mode]) => {
            try { const got = await fetch(url, {mode}); return got.type + ':' + (await got.text()); }
            catch (error) { return 'refused'; }
        }"""
        assert page.evaluate(script, [url, "cors"]) == "refused"
        assert page.evaluate(script, [url, "no-cors"]) in ("refused", "opaque:")
        embed = """([tag, url]) => new Promise(done => {
            const element = document.createElement(tag);
            element.onload = () => done('loaded');
            element.onerror = () => done('refused');
            element.src = url;
            document.body.append(element);
        })"""
        for tag in ["img", "script"]:
            assert page.evaluate(embed, [tag, url]) == "refused", tag
        page.evaluate(embed, ["iframe", url])
        assert answers["document"] == 403, answers
        assert all(status == 403 for status in answers.values()), answers
        # Navigating there does not help either: a page that signs requests itself learns nothing of what is stored.
        with page.expect_response(lambda answer: answer.url == url) as answer:
            page.evaluate("url => { location.href = url }", url)
        assert answer.value.status == 403


def test_a_foreign_form_deletes_nothing(at):
    store(at)
    url = signed("POST", f"{at.server.endpoint}/data?delete")
    with foreign_page(at) as page:
        form = """url => {
            const form = document.createElement('form');
            form.method = 'POST'; form.enctype = 'text/plain'; form.action = url;
            const field = document.createElement('input');
            field.name = '<Delete><Object><Key>precious.txt</Key></Object><!--'; field.value = '--></Delete>';
            form.append(field); document.body.append(form); form.submit();
        }"""
        with page.expect_response(lambda answer: answer.url == url) as answer:
            page.evaluate(form, url)
        assert answer.value.status == 403, answer.value.status
        assert "origin" in answer.value.request.all_headers(), "the browser marks the form"
    assert at.server.run("s3", "exists", "s3://data/precious.txt") == "true"


def test_large_files_come_from_the_s3_server_itself(at):
    weights = bytes(range(256)) * (17 << 12)
    at.server.push("large_model", "1", None, weights)
    page = at.page("/models/large_model/versions/1")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_download() as download:
        page.locator("a[href$='/files/best_model.pth']").first.click()
    assert download.value.path().read_bytes() == weights
    assert any(url.startswith(at.server.endpoint) for url in asked), asked


def test_a_stored_page_runs_no_script(at):
    at.server.write("page.html", "<title>stored</title><script>document.title = 'ran'</script><h1>shown</h1>")
    at.server.run("s3", "cp", "page.html", "s3://data/page.html", "--content-type", "text/html")
    context = at.chromium.new_context()
    page = context.new_page()
    # Like pasting a link into the address bar.
    page.goto(at.server.run("s3", "url", "s3://data/page.html"))
    assert page.title() == "stored" and page.locator("h1").inner_text() == "shown"
    assert page.evaluate("origin") == "null"
    context.close()
