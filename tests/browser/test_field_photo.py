"""An official's phone takes a picture without a network, small and without a word about where; it arrives with its answer."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from survey.loading import create_account, load_sample
from survey.storage import cases, photos, quarantine, responses
from survey.storage.database import Database
from survey.web.photos import clean
from tests.browser.test_field import TALK, app, settled, sign_in
from tests.browser.test_stories import FLAGS
from tests.served import serving
from tests.test_loading import FOLDER, write_sample
from tests.web.phone import PASSWORD, QUIET

PAGE = """      - id: front_page
        title: {vi: Mặt nhà, en: The house}
        questions:
          - {id: front, kind: photo, label: {vi: Chụp mặt nhà, en: The front of the house}}
"""


def with_a_photo(folder: Path) -> Path:
    """The real questionnaire, with a picture asked for on the page after the notice."""
    copy = Path(shutil.copytree(FOLDER, folder / "with-a-photo"))
    text = (copy / "questionnaire.yaml").read_text(encoding="utf-8")
    head, notice, rest = text.partition("      - id: notice\n")
    page, mark, after = rest.partition("\n      - id: ")
    if not mark or "\n  - id: " in page:
        page, mark, after = rest.partition("\n  # ---")
    (copy / "questionnaire.yaml").write_text(
        head + notice + page + "\n" + PAGE.rstrip("\n") + mark + after, encoding="utf-8"
    )
    return copy


def picture() -> bytes:
    """A large photograph as a telephone makes it, noisy so that it does not compress, with a place in it."""
    made, out = Image.effect_noise((2400, 1800), 90).convert("RGB"), io.BytesIO()
    exif = made.getexif()
    exif.get_ifd(0x8825)[2] = (20.0, 56.0, 27.0)
    made.save(out, "JPEG", quality=92, exif=exif)
    return out.getvalue()


def test_a_picture_is_taken_without_a_network_and_arrives(chromium: str, tmp_path: Path) -> None:
    folder = with_a_photo(tmp_path)
    address = f"sqlite:///{tmp_path / 'survey.sqlite'}"
    load_sample(
        folder, write_sample(tmp_path / "sample", range(6)), address, tmp_path / "codes.csv", console=QUIET
    )
    create_account(address, "an", "official", ["10507"], password=PASSWORD, console=QUIET)
    large = picture()
    assert len(large) > 1_000_000
    with serving(address, folder) as port, Database.open(address) as database, sync_playwright() as play:
        url = f"http://127.0.0.1:{port}"
        browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(viewport={"width": 360, "height": 640})
        page = context.new_page()
        sign_in(page, url)
        page.close()
        page = app(context, url)
        settled(page)
        with database.reading() as connection:
            case = cases.assigned_to(connection, "an")[0].id
        context.set_offline(True)
        page.evaluate("(id) => { location.hash = `#/case/${id}`; }", case)
        page.click("[data-part=interview]")
        page.click("[data-part=page] button:visible")
        photo = page.locator("[data-q=front]")
        photo.locator("input[type=file]").set_input_files(
            {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"nonsense"}
        )
        expect(photo.locator(".error")).to_contain_text("Không đọc được ảnh này")
        photo.locator("input[type=file]").set_input_files(
            {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": large}
        )
        expect(photo.locator(".photo img")).to_be_visible()
        page.click("[data-part=page] button:visible")
        expect(photo).to_have_count(0)
        page.go_back()
        expect(page.locator("[data-q=front] .photo img")).to_be_visible()  # from the phone, sealed
        assert case in page.url
        page.evaluate(TALK)
        context.set_offline(False)
        page.evaluate("dispatchEvent(new Event('online'))")
        page.wait_for_selector("#status[data-state=sent]", state="attached", timeout=30_000)
        with database.reading() as connection:
            (record,) = responses.by_case(connection, case)
            said = [
                str(event.answers["front"].value)
                for event in responses.events(connection, record.id)
                if "front" in event.answers
            ]
            kept = photos.find(connection, record.id, said[-1])
            assert quarantine.waiting(connection) == []
        assert kept is not None
        assert len(kept) < 100_000
        assert clean(kept)
        browser.close()
