"""Actions in the console: comparing, sharing, verifying, publishing, deleting, filling buckets."""

import json
import time
import urllib.request

from depot import history, picture
from pages import LATEST

DROP = """async (zone, files) => {
  const data = new DataTransfer();
  for (const [name, text, repeat] of files) data.items.add(new File([text.repeat(repeat)], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    zone.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
  }
}"""


def test_versions_are_sorted_and_filtered(at):
    page = at.page("/models/plant_classifier")
    page.get_by_role("columnheader", name="val_loss").get_by_role("link").click()
    page.wait_for_url("**sort=-val_loss")
    head = page.locator("th[aria-sort]")
    assert head.count() == 1 and head.get_attribute("aria-sort") == "descending"
    losses = [float(text) for text in page.locator(".versions tbody tr td:nth-child(4)").all_inner_texts()]
    assert losses == sorted(losses, reverse=True) and len(losses) == 14
    page.get_by_label("Filter versions").fill("val_accuracy >= 0.9, architecture=resnet34")
    page.keyboard.press("Enter")
    page.wait_for_url("**filter=*")
    accuracies = [float(text) for text in page.locator(".versions tbody tr td:nth-child(3)").all_inner_texts()]
    assert accuracies and len(accuracies) < 6 and all(value >= 0.9 for value in accuracies), accuracies
    page.get_by_label("Metric", exact=True).select_option("train_loss")
    page.get_by_text("train_loss over versions", exact=True).wait_for()
    assert "filter=" in page.url, "the filter stays"


def test_two_versions_are_compared(at):
    page = at.page("/models/plant_classifier")
    compare = page.get_by_role("button", name="Compare")
    assert compare.is_disabled()
    page.get_by_label(f"Compare {LATEST}").check()
    page.get_by_label("Compare 20251009_181803").check()
    compare.click()
    page.get_by_role("heading", name="Side by side").wait_for()
    lines = page.locator("figure.chart").first.locator("path.line")
    assert lines.count() == 4, "train and validation of both"
    differs = page.locator("tr.differs th").all_inner_texts()
    assert any("architecture" in name for name in differs) and not any("num_classes" in name for name in differs)
    assert page.locator(".compared tr", has_text="val_accuracy").locator("td.best").inner_text().startswith("0.94")
    page.get_by_label("Add a version").fill("leaf_segmenter")
    page.get_by_role("button", name="Add").click()
    page.locator(".compared thead", has_text="leaf_segmenter@1.1.0").wait_for()
    page.get_by_role("link", name="Remove leaf_segmenter@1.1.0").click()
    assert page.locator(".compared thead th").count() == 3
    at.expected = {400}
    many = "&".join(f"v=plant_classifier@{n}" for n in range(6))
    page.goto(at.url + "/compare?" + many)
    assert "too many to compare" in page.locator("main").inner_text()


def test_a_link_is_shared(at):
    page = at.page(f"/models/plant_classifier/versions/{LATEST}")
    page.get_by_label("File", exact=True).select_option("training_history.json")
    page.get_by_label("Expires after").select_option("900")
    page.get_by_role("button", name="Create link").click()
    link = page.locator("#shared-link").inner_text()
    assert "X-Amz-Expires=900" in link
    assert json.load(urllib.request.urlopen(link))["train_loss"] == history(13, 19, 1)["train_loss"]
    assert "Valid until" in page.locator("#share").inner_text()
    at.check(page)
    at.shot(page, "version-shared-desktop")


def test_a_version_is_verified_and_a_damaged_one_is_not(at):
    page = at.page(f"/models/plant_classifier/versions/{LATEST}")
    page.get_by_role("button", name="Verify now").click()
    page.locator(".progress p.good", has_text="Verified: 3 files").wait_for()
    at.check(page)
    damage(at.server, b"s" * 900_000)
    page.goto(at.url + "/models/leaf_segmenter/versions/1.0.0")
    page.get_by_role("button", name="Verify now").click()
    page.locator(".progress p.bad", has_text="is damaged").wait_for()
    told = page.locator(".progress p").inner_text()
    assert "use another version" in told and "GET /api" not in told, told
    at.shot(page, "version-damaged-desktop")


def damage(server, content):
    """Changes one byte of an object on the embedded server's disk."""
    for path in (server.folder / "data").rglob("*"):
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            with open(path, "r+b") as file:
                file.seek(1000)
                file.write(b"!")
            return
    raise RuntimeError("no file on the server's disk holds that object")


def test_a_version_is_published_by_drop(at):
    page = at.page("/models/plant_classifier")
    page.get_by_role("link", name="Publish a version").click()
    assert page.get_by_label("Model", exact=True).input_value() == "plant_classifier"
    past = json.dumps(history(99, 15, 0.97))
    files = [["config.json", "{}", 1], ["best_model.pth", "weights ", 400_000], ["training_history.json", past, 1]]
    page.locator("[data-drop]").evaluate(f"(zone, files) => ({DROP})(zone, files)", files)
    assert page.locator("[data-chosen] li").count() == 3
    assert page.get_by_label("Model file").input_value() == "", "its name decides"
    page.get_by_label("Version", exact=True).fill("dropped-1")
    page.get_by_label("Metadata").fill("architecture=resnet50\nnum_classes=2")
    at.shot(page, "publish-filled-desktop")
    page.get_by_role("button", name="Publish").click()
    page.wait_for_url("**/models/plant_classifier/versions/dropped-1?published=now")
    text = page.locator("main").inner_text()
    assert "resnet50" in text and "3.2 MB" in text and page.locator("figure.chart").count() == 2
    at.server.run("verify", "plant_classifier@dropped-1")
    shown = json.loads(at.server.run("show", "plant_classifier@dropped-1", "--json"))["manifest"]
    assert shown["metadata"]["num_classes"] == 2 and shown["metadata"]["total_epochs"] == 15
    # Under an existing name it is refused, and the page says what to do.
    at.expected = {409}
    page.goto(at.url + "/publish?model=plant_classifier")
    page.locator("[data-drop]").evaluate(f"(zone, files) => ({DROP})(zone, files)", [["best_model.pth", "other", 9]])
    page.get_by_label("Version", exact=True).fill("dropped-1")
    page.get_by_role("button", name="Publish").click()
    page.locator(".progress p.bad", has_text="already exists").wait_for()
    at.check(page)
    at.shot(page, "publish-refused-desktop")


def test_what_is_published_elsewhere_shows(at):
    at.server.push("from_a_terminal", "1", None, b"weights", val_accuracy=0.7)
    page = at.page("/")
    for _ in range(100):
        page.goto(at.url + "/")
        if page.get_by_role("link", name="from_a_terminal").count() == 1:
            break
        time.sleep(0.1)
    row = page.locator("tr", has_text="from_a_terminal").inner_text()
    assert "0.7" in row


def test_a_version_is_deleted_once_its_name_is_typed(at):
    at.server.push("to_delete", "1", None, b"one")
    at.server.push("to_delete", "2", None, b"two")
    page = at.page("/models/to_delete/versions/2")
    page.get_by_text("Delete this version").click()
    button = page.get_by_role("button", name="Delete the version")
    page.get_by_label("Type").fill("to_delete@1")
    assert button.is_disabled()
    page.get_by_label("Type").fill("to_delete@2")
    at.shot(page, "version-delete-desktop")
    at.check(page)
    button.click()
    page.locator(".notice", has_text="is deleted").wait_for()
    assert page.locator(".versions tbody tr").count() == 1, "no stale page"
    at.expected = {410, 400}
    assert page.goto(at.url + "/models/to_delete/versions/2").status == 410
    # Submitting the form without scripts requires typing the name too.
    plain = at.page("/models/to_delete/versions/1", java_script_enabled=False)
    plain.get_by_text("Delete this version").click()
    plain.get_by_label("Type").fill("something else")
    plain.get_by_role("button", name="Delete the version").click()
    assert "nothing was deleted" in plain.locator("main").inner_text()
    assert "to_delete" in at.server.run("models")
    plain.go_back()
    plain.get_by_text("Delete this version").click()
    plain.get_by_label("Type").fill("to_delete@1")
    plain.get_by_role("button", name="Delete the version").click()
    plain.locator(".notice", has_text="is deleted").wait_for()
    assert "to_delete" not in at.server.run("models")


def test_a_bucket_is_filled_and_emptied(at):
    page = at.page("/buckets/plants-images")
    page.get_by_role("link", name="train/").click()
    page.get_by_role("link", name="healthy/").click()
    image = page.locator(".thumbs img").first
    image.scroll_into_view_if_needed()
    page.wait_for_function("image => image.complete && image.naturalWidth === 120", arg=image.element_handle())
    content = picture(77)
    page.get_by_label("Files for").set_input_files({"name": "ä leaf & <b>.png", "mimeType": "image/png", "buffer": content})
    page.get_by_role("button", name="Upload").click()
    page.locator(".notice", has_text="Uploaded").wait_for()
    added = page.locator(".thumbs li", has_text="ä leaf & <b>.png")
    link = added.locator("a").get_attribute("href").replace("/view", "/object")
    assert page.request.get(at.url + link).body() == content
    page.on("dialog", lambda dialog: dialog.accept())
    added.get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete selected").click()
    page.locator(".notice", has_text="Deleted").wait_for()
    assert page.locator(".thumbs li").count() == 9


def test_published_versions_are_not_deleted_by_key(at):
    page = at.page(f"/buckets/models?prefix=plant_classifier/v{LATEST}/")
    assert page.get_by_role("checkbox").count() == 0
    prefix = f"plant_classifier/v{LATEST}/"
    for key in [prefix + "best_model.pth", prefix + "manifest.json", ".depot/probe.json", ".depot/anything"]:
        answer = page.request.post(at.url + "/buckets/models/delete", form={"key": key})
        assert answer.status == 409 and "What to do" in answer.text(), key
    upload = {"prefix": prefix, "file": {"name": "best_model.pth", "mimeType": "text/plain", "buffer": b"other"}}
    assert page.request.post(at.url + "/buckets/models/upload", multipart=upload).status == 409
    at.server.run("verify", f"plant_classifier@{LATEST}")
    assert page.request.get(at.url + "/buckets/somebody-elses").status == 404
    # A page of another site cannot submit the form either.
    answer = page.request.post(
        at.url + "/buckets/data/delete", form={"key": "fake.png"}, headers={"origin": "http://evil.example"}
    )
    assert answer.status == 403
    assert page.request.get(at.url + "/buckets/data/object?key=fake.png").status == 200
