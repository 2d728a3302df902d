"""Proves that a release can be checked by anybody: no file changed, none missing, none added, signed by the office."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from survey.cli import main
from survey.problems import Conflict
from survey.publication.results import Cell
from survey.publication.sealing import NotGenuine, manifest_hash, opened, read, seal, unseal, verify
from tests.publication.test_site import example


@pytest.fixture
def out(tmp_path) -> Path:
    folder = tmp_path / "release"
    (folder / "site").mkdir(parents=True)
    (folder / "estimates.csv").write_text("a,b\n", encoding="utf-8")
    (folder / "site" / "index.html").write_text("<p>51,2%</p>", encoding="utf-8")
    return folder


def sealed(out: Path, key: Path | None = None) -> None:
    seal(out, [path for path in out.rglob("*") if path.is_file() and path.stem != "manifest"], example(), key)


def test_a_release_as_it_was_sealed_is_genuine(out, tmp_path):
    sealed(out, tmp_path / "keys" / "office.pem")
    found, fingerprint = verify(out)
    assert set(found.files) == {"estimates.csv", "site/index.html"}
    assert len(fingerprint) == 16
    assert (tmp_path / "keys" / "office.pem").stat().st_mode & 0o077 == 0


def test_a_manifest_from_elsewhere_deletes_nothing_outside_its_folder(out, tmp_path):
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    (out / "away").symlink_to(tmp_path)
    for name in ("../kept.txt", str(kept), "site/../../kept.txt", "away/kept.txt"):
        sealed(out)
        manifest = msgspec.json.decode((out / "manifest.json").read_bytes())
        manifest["files"][name] = "0" * 64
        (out / "manifest.json").write_bytes(msgspec.json.encode(manifest))
        with pytest.raises(NotGenuine, match="outside"):
            unseal(out)
        assert kept.read_text() == "mine"
        (out / "manifest.json").unlink()


def test_figures_of_another_version_are_refused_in_words(out):
    (out / "estimates.json").write_text('{"of": "another version"}')
    sealed(out)
    with pytest.raises(NotGenuine, match="another version"):
        opened(out)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda out: (out / "estimates.csv").write_text("a,c\n"), "estimates.csv: its content was changed"),
        (lambda out: (out / "site" / "index.html").unlink(), "site/index.html: the file is missing"),
        (lambda out: (out / "site" / "more.html").write_text("x"), "site/more.html: not in the manifest"),
        (lambda out: (out / "manifest.sig").write_text("AAAA"), "manifest.sig: no valid signature"),
    ],
)
def test_what_was_done_to_a_release_is_named(out, tmp_path, harm, said):
    sealed(out, tmp_path / "office.pem")
    harm(out)
    with pytest.raises(NotGenuine) as found:
        verify(out)
    assert said in found.value.message["en"]


def test_a_release_signed_by_somebody_else_is_not_the_office_s(out, tmp_path):
    sealed(out, tmp_path / "office.pem")
    shutil.copy(out / "manifest.pub", tmp_path / "office.pub")
    sealed(out, tmp_path / "forger.pem")
    verify(out)
    with pytest.raises(NotGenuine, match=r"manifest\.sig"):
        verify(out, tmp_path / "office.pub")


def test_without_a_signature_the_office_s_key_finds_none(out, tmp_path):
    sealed(out)
    assert verify(out)[1] == ""
    with pytest.raises(NotGenuine, match=r"manifest\.sig"):
        verify(out, tmp_path / "office.pub")


def test_the_same_release_has_the_same_seal(out, tmp_path):
    sealed(out, tmp_path / "office.pem")
    first = [(out / name).read_bytes() for name in ("manifest.json", "manifest.sig")]
    for name in ("manifest.json", "manifest.sig", "manifest.pub"):
        (out / name).unlink()
    sealed(out, tmp_path / "office.pem")
    assert [(out / name).read_bytes() for name in ("manifest.json", "manifest.sig")] == first


def test_only_the_files_of_the_earlier_release_make_way(out):
    sealed(out)
    (out / "note.txt").write_text("mine")
    unseal(out)
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["note.txt"]
    unseal(out)


def test_a_file_that_is_no_key_signs_nothing(out, tmp_path):
    (tmp_path / "office.pem").write_text("hello")
    with pytest.raises(Conflict):
        sealed(out, tmp_path / "office.pem")


def test_the_command_says_whether_it_is_genuine(out, tmp_path, capsys):
    sealed(out, tmp_path / "office.pem")
    assert main(["verify-release", str(out), "--public-key", str(out / "manifest.pub")]) == 0
    assert "2 files unchanged" in capsys.readouterr().out
    (out / "estimates.csv").write_text("x")
    assert main(["verify-release", str(out)]) == 1
    assert main(["verify-release", str(tmp_path)]) == 1
    assert read(out).number == 1
    assert len(manifest_hash(out)) == 64


def test_changes_name_what_is_new_gone_held_shown_and_different():
    before = example()
    first, *rest = [cell for cell in before.cells if cell.status == "show"]
    held = next(cell for cell in before.cells if cell.status != "show")
    other = msgspec.structs.replace(first, value=0.123)
    hidden = Cell(indicator=rest[0].indicator, domain=rest[0].domain, category=rest[0].category, status="x")
    shown = msgspec.structs.replace(
        first, indicator=held.indicator, domain=held.domain, category=held.category
    )
    new = Cell(indicator="NEW", value=0.5)
    swaps = {id(first): other, id(rest[0]): hidden, id(held): shown}
    kept = [swaps.get(id(cell), cell) for cell in before.cells if cell is not rest[1]]
    after = msgspec.structs.replace(before, cells=(*kept, new))
    assert before.since(before) == ()
    found = {one.kind: one for one in after.since(before)}
    assert set(found) == {"value", "held", "shown", "new", "gone"}
    assert (found["value"].before, found["value"].after) == (first.value, 0.123)
    assert found["held"].after is None
