"""Unpacks what people upload: a zip with several exports, a gzip; a workbook is a zip as well and stays as it is."""

from __future__ import annotations

import io
import zipfile
import zlib

from channels.adapter import DocumentError
from channels.tables import unpack

MAX_FILES = 2000
#: All files of one archive together, unpacked; more is an attack or a mistake.
MAX_UNPACKED = 1024 * 1024 * 1024
_WORKBOOK = {"[Content_Types].xml", "mimetype"}


def expand_file(filename: str, body: bytes) -> list[tuple[str, bytes]]:
    """The files inside an upload as (name, bytes): those of a zip, the content of a gzip, else the file itself.

    Folders, empty names and the hidden files that systems put into archives are left out; archives inside an archive are
    unpacked one level deep, so that the result always ends.

    Raises:
        DocumentError: the archive is damaged, encrypted, empty, or larger than Nova takes.
    """
    if body[:2] == b"\x1f\x8b":
        return [(filename[:-3] if filename.casefold().endswith(".gz") else filename, unpack(body))]
    if not body.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return [(filename, body)]
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if _WORKBOOK & set(archive.namelist()):
                return [(filename, body)]
            found = _members(filename, archive)
    except DocumentError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "password" in str(error):
            raise DocumentError(f"{filename} is encrypted; unpack it and import the files in it.") from None
        raise DocumentError(f"The archive {filename} is damaged or cut off.") from None
    if not found:
        raise DocumentError(f"The archive {filename} holds no files.")
    return found


def _members(filename: str, archive: zipfile.ZipFile) -> list[tuple[str, bytes]]:
    infos = [
        info
        for info in archive.infolist()
        if not info.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in info.filename.split("/"))
    ]
    if len(infos) > MAX_FILES:
        raise DocumentError(f"The archive {filename} holds {len(infos):,} files; Nova takes up to {MAX_FILES:,} at once.")
    found: list[tuple[str, bytes]] = []
    room = MAX_UNPACKED
    for info in infos:
        with archive.open(info) as member:
            content = member.read(room + 1)  # the size that the archive declares is not to be trusted
        room -= len(content)
        if room < 0:
            raise DocumentError(f"The archive {filename} holds more than {MAX_UNPACKED // 1024**3} GB.")
        if content[:2] == b"\x1f\x8b":
            content = unpack(content)
        found.append((info.filename, content))
    return found
