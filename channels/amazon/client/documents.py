"""The content of a downloaded report: packed or not, in the charset that its header names."""

from __future__ import annotations

import codecs
from email.message import Message

from channels.adapter import DocumentError
from channels.tables import decode, unpack
from nova.http import Answer, Surprise, Temporary


def readable_text(answer: Answer) -> bytes:
    """The bytes as they came, unpacked; in UTF-8 where the header's charset is not what the bytes alone would be read as.

    Stored documents have no headers: Shift_JIS or windows-1252 would else be a guess for ever.

    Raises:
        Temporary: the packed content is damaged, or fewer bytes came than were announced. Surprise: the content is no text.
    """
    try:
        plain = unpack(answer.body)
    except DocumentError:
        raise Temporary("A report of Amazon came damaged or cut off.", status=answer.status) from None
    try:
        guessed = decode(plain)
    except DocumentError:
        raise Surprise("A report of Amazon is no text.", status=answer.status) from None
    charset = _charset(answer.headers.get("content-type", ""))
    if not charset:
        return plain
    try:
        told = plain.decode(charset)
    except (UnicodeDecodeError, LookupError):
        return plain  # the header is wrong, as it is at times
    return plain if told.lstrip("\ufeff") == guessed.lstrip("\ufeff") else told.lstrip("\ufeff").encode()


def _charset(content_type: str) -> str:
    """A charset that Python knows, "" for none. Windows' editions of Shift_JIS and Latin-1 stand for the plain ones."""
    message = Message()
    message["content-type"] = content_type or "text/plain"
    named = message.get_content_charset() or ""
    try:
        name = codecs.lookup(named).name if named else ""
    except LookupError:
        return ""
    return {"shift_jis": "cp932", "iso8859-1": "cp1252"}.get(name, name)
