"""Archives that people upload: what is in them is imported, what is broken or too much is said."""

from __future__ import annotations

import gzip
import io
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import archives
from channels.adapter import DocumentError
from channels.archives import expand_file
from channels.tables import read_sheets


def packed(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return file.getvalue()


@given(st.dictionaries(st.sampled_from(["may/a.txt", "b.csv", "c.json"]), st.binary(max_size=50), min_size=1))
def test_every_file_of_a_zip_comes_out_as_it_went_in(files):
    files = {name: body for name, body in files.items() if body[:2] != b"\x1f\x8b"}
    if files:
        assert dict(expand_file("all.zip", packed(files))) == files


def test_a_gzip_gives_the_file_in_it_also_inside_a_zip():
    assert expand_file("may.txt.gz", gzip.compress(b"rows")) == [("may.txt", b"rows")]
    assert expand_file("all.zip", packed({"may.txt.gz": gzip.compress(b"rows")})) == [("may.txt.gz", b"rows")]


def test_a_workbook_is_a_file_and_no_archive():
    file = io.BytesIO()
    openpyxl.Workbook().save(file)
    assert expand_file("book.xlsx", file.getvalue()) == [("book.xlsx", file.getvalue())]


def test_hidden_files_of_systems_are_left_out():
    assert expand_file("all.zip", packed({"__MACOSX/._a.txt": b"x", ".DS_Store": b"x", "a.txt": b"rows"})) == [("a.txt", b"rows")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (packed({"a.txt": b"rows" * 100})[:-30], "damaged or cut off"),
        (gzip.compress(b"rows" * 100)[:-9], "damaged or cut off"),
        (packed({".DS_Store": b"x"}), "holds no files"),
    ],
)
def test_a_broken_or_empty_archive_is_named(body, message):
    with pytest.raises(DocumentError, match=message):
        expand_file("all.zip", body)


def test_an_archive_that_swells_is_stopped(monkeypatch):
    monkeypatch.setattr(archives, "MAX_UNPACKED", 10_000)
    with pytest.raises(DocumentError, match="holds more than"):
        expand_file("bomb.zip", packed({"a.txt": b"0" * 6_000, "b.txt": b"0" * 6_000}))
    monkeypatch.setattr(archives, "MAX_FILES", 1)
    with pytest.raises(DocumentError, match="takes up to 1 at once"):
        expand_file("many.zip", packed({"a.txt": b"0", "b.txt": b"0"}))


def workbook(sheet: str, *, name: str = "xl/worksheets/sheet1.xml") -> bytes:
    """A workbook with one sheet of raw XML rows, over one that openpyxl made."""
    plain, made = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            if info.filename != "xl/worksheets/sheet1.xml":
                new.writestr(info.filename, old.read(info))
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        new.writestr(name, f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>')
    return made.getvalue()


@pytest.mark.parametrize(
    "sheet",
    [
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>',
        "<row>" + "<c><v>1</v></c>" * 16_384 + '</row><row r="1048576"><c><v>2</v></c></row>',
    ],
)
def test_a_small_workbook_that_spans_billions_of_cells_is_refused_before_it_is_read(sheet):
    body = workbook(sheet)
    assert len(body) < 50_000
    with pytest.raises(DocumentError, match="spans"):
        list(read_sheets(body))


def test_a_workbook_whose_cells_say_no_place_is_read():
    sheet = "<row><c><v>1</v></c><c><v>2</v></c></row>" * 3
    assert [rows for _name, rows in read_sheets(workbook(sheet))] == [[["1", "2"]] * 3]


def test_other_kinds_of_workbooks_are_named():
    with pytest.raises(DocumentError, match="no xlsx"):
        list(read_sheets(packed({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<a/>"})))
