"""Every page: screenshots, axe, a narrow screen, dark mode, without scripts, with hostile content."""

from depot import HOSTILE

LATEST = "20251029_181813"

PAGES = {
    "models": "/",
    "models-none": "/?q=nothing+is+called+so",
    "model": "/models/plant_classifier",
    "model-sorted": "/models/plant_classifier?sort=-val_accuracy&filter=val_accuracy%3E%3D0.9",
    "model-none": "/models/plant_classifier?filter=val_accuracy%3E2",
    "version": f"/models/plant_classifier/versions/{LATEST}",
    "version-original": "/models/original_classifier/versions/20250901_090000",
    "version-hostile": "/models/hostile/versions/1",
    "version-odd-file": "/models/hostile/versions/3+odd",
    "compare": f"/compare?v=plant_classifier@{LATEST}&v=plant_classifier@20251021_181809&v=plant_classifier@20251009_181803",
    "compare-one": f"/compare?v=plant_classifier@{LATEST}",
    "compare-hostile": "/compare?v=hostile@1&v=hostile@2",
    "buckets": "/buckets",
    "bucket-models": f"/buckets/models?prefix=plant_classifier/v{LATEST}/",
    "bucket-pictures": "/buckets/plants-images?prefix=train/healthy/",
    "bucket-data": "/buckets/data",
    "publish": "/publish",
    "health": "/health",
    "missing-model": "/models/plant_clasifier",
    "missing-page": "/nowhere",
}


def visit(at, name, url, axe=True, **options):
    """Opens a page in the test's only context, which the first call creates with the options."""
    at.expected = {404} if name.startswith("missing") else set()
    page = at.page(**options) if at.last is None else at.last
    at.last = page
    page.goto(at.url + url)
    assert page.title().endswith("modeldepot"), page.title()
    assert page.locator("h1").count() == 1
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{name} is {wide} pixels too wide"
    if axe:
        at.check(page)
    return page


def test_every_page_at_desktop_width(at):
    for name, url in PAGES.items():
        at.shot(visit(at, name, url), f"{name}-desktop")


def test_every_page_at_phone_width(at):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    for name, url in PAGES.items():
        # For axe, most pages are the same at every width.
        at.shot(visit(at, name, url, axe=name in ("models", "version", "compare"), **phone), f"{name}-phone")


def test_pictures_for_the_documentation(at):
    """Copy these to docs/images when the pages change: `documentation-console.png` as `console.png`, and so on."""
    for name, page, height in [("console", "version", 704), ("compare", "compare", 720)]:
        at.shot(at.page(PAGES[page], viewport={"width": 1100, "height": height}), f"documentation-{name}", full_page=False)


def test_pages_in_the_dark(at):
    for name in ["models", "model", "version", "compare", "bucket-pictures", "publish", "health", "missing-model"]:
        at.shot(visit(at, name, PAGES[name], color_scheme="dark"), f"{name}-dark")


def test_the_theme_is_kept(at):
    page = at.page("/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark theme").click()
    page.goto(at.url + "/buckets")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.get_by_role("button", name="Light theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_the_first_tab_skips_to_the_content(at):
    page = at.page("/models/plant_classifier")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_version_shows_all_there_is(at):
    page = at.page(f"/models/plant_classifier/versions/{LATEST}")
    text = page.locator("main").inner_text()
    for said in ["best_model.pth", "training_history.json", "BLAKE3", "MD5", "resnet34", "optimizer.weight_decay", "latest"]:
        assert said in text, said
    assert f"modeldepot pull plant_classifier@{LATEST}" in page.locator("#snippet-pull").inner_text()
    assert "download_model" in page.locator("#snippet-python").inner_text()
    curl = page.locator("#snippet-curl").inner_text().split("'")[1]
    assert page.request.get(curl).body() == bytes([13]) * (1_400_000 + 13 * 31_000)
    page.get_by_text("as stored in the bucket").click()
    assert '"manifest_blake3"' in page.locator("pre.record").inner_text()


def test_a_version_of_the_python_pipeline(at):
    page = at.page("/models/original_classifier/versions/20250901_090000")
    text = page.locator("main").inner_text()
    assert "Python pipeline" in text and "no published digest" in text and "700.0 kB" in text
    assert page.locator("figure.chart").count() == 2, "its curves are drawn"


def test_hostile_names_and_values_are_text(at):
    page, at.expected = at.page(), {400}
    for url in ["/", "/models/hostile", "/models/hostile/versions/1", "/models/hostile/versions/2",
                "/models/hostile/versions/3+odd", "/compare?v=hostile@1&v=hostile@2", "/buckets/data",
                "/models/hostile?filter=" + "%3Cscript%3Edocument.title%3D1%3C/script%3E", "/buckets/data?prefix=%3Cb%3E",
                "/models/plant_classifier?metric=%22%3E%3Cimg%20src%3Dx%3E&sort=%3Cb%3E"]:
        page.goto(at.url + url)
        assert "injected" not in page.title() and page.evaluate("window.injected") is None, url
        assert page.locator("main script, main img[src=x], main iframe, main [onerror]").count() == 0, url
    page.goto(at.url + "/models/hostile/versions/1")
    text = page.locator("main").inner_text()
    assert HOSTILE.split("\u202e")[0] in text
    assert "\u202e" not in page.content() and "\\u{202e}" in text, "what turns the direction of writing is spelled out"
    assert page.evaluate("document.querySelectorAll('[style], style, script:not([src])').length") == 0


def test_objects_of_a_bucket_run_nothing(at):
    page = at.page("/buckets/data")
    picture = page.request.get(at.url + "/buckets/data/view?key=fake.png")
    assert picture.headers["content-type"] == "image/png" and picture.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in picture.headers["content-security-policy"]
    link = page.locator("tbody a", has_text=".svg").get_attribute("href")
    for url in [link, link.replace("/object", "/view")]:
        drawing = page.request.get(at.url + url)
        assert drawing.status == 200 and drawing.headers["content-disposition"].startswith("attachment"), url
        assert drawing.headers["content-type"] == "application/octet-stream"


def test_assets_are_kept_and_pages_are_not(at):
    page = at.page("/")
    style = page.locator("link[rel=stylesheet]").get_attribute("href")
    answer = page.request.get(at.url + style)
    assert "immutable" in answer.headers["cache-control"]
    again = page.request.get(at.url + style, headers={"if-none-match": answer.headers["etag"]})
    assert again.status == 304
    answer = page.request.get(at.url + "/")
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy


def test_curves_are_read_by_mouse_and_by_keyboard(at):
    page = at.page(f"/models/plant_classifier/versions/{LATEST}")
    plot = page.locator(".plot").first
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = plot.locator(".tip")
    assert tip.is_visible() and "validation" in tip.inner_text()
    page.mouse.move(0, 0)
    assert not tip.is_visible()
    plot.focus()
    page.keyboard.press("Home")
    assert plot.get_attribute("aria-valuetext").startswith("epoch 1: train ")
    page.keyboard.press("ArrowRight")
    said = plot.get_attribute("aria-valuetext")
    assert said.startswith("epoch 2: train ") and tip.is_visible()
    assert tip.locator("b").inner_text() == "epoch 2"
    page.locator("details.values summary").first.click()
    row = page.locator("details.values tbody tr").nth(1).inner_text().split()
    assert row[0] == "2" and row[1] in said and row[2] in said
    at.shot(page, "version-tooltip-desktop")
    assert page.locator(".legend", has_text="best epoch 16").count() == 2


def test_charts_are_had_as_files(at):
    page = at.page(f"/models/plant_classifier/versions/{LATEST}")
    with page.expect_download() as download:
        page.get_by_role("link", name="SVG").first.click()
    text = download.value.path().read_text()
    assert download.value.suggested_filename == f"plant_classifier_{LATEST}-loss.svg"
    assert page.evaluate(
        "text => new DOMParser().parseFromString(text, 'image/svg+xml').querySelectorAll('parsererror, path').length", text
    ) == 2, "two lines, and no error"
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").first.click()
    assert download.value.suggested_filename == f"plant_classifier_{LATEST}-loss.png"
    picture = download.value.path().read_bytes()
    assert picture.startswith(b"\x89PNG") and int.from_bytes(picture[16:20], "big") == 1200


def test_without_a_script(at):
    page = at.page("/", java_script_enabled=False)
    page.get_by_role("link", name="plant_classifier").first.click()
    page.get_by_label("Filter versions").fill("val_accuracy>=0.93")
    page.get_by_role("button", name="Filter").click()
    assert page.locator(".versions tbody tr").count() == 1
    page.get_by_role("link", name=LATEST).last.click()
    assert page.locator("figure.chart svg path.line").count() == 4
    page.get_by_role("button", name="Create link").click()
    assert "X-Amz-Signature" in page.locator("#shared-link").inner_text()
    page.get_by_role("button", name="Verify now").click()
    page.locator(".notice", has_text="every digest matches").wait_for()
