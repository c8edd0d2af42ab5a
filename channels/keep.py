"""Keeps what the outside sent: recognises it, takes buyer data out, hashes, compresses, stores. Nothing is read further here."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass

from django.db import transaction

from channels.adapter import Adapter, DocumentError, Recognised, Source
from channels.models import Document, Shop, Upload, UploadFile
from channels.personal import store_personal_data
from channels.registry import adapters, get_adapter

#: Fast and still about nine times smaller on API pages; the wheel's server has no lz4 of its own.
COMPRESSION_LEVEL = 1
MAX_DOCUMENT_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class Kept:
    """A stored document. `created` is False when the same bytes were kept before. `recognised` is None for a foreign file."""

    document: Document
    created: bool
    recognised: Recognised | None
    problem: str = ""


def storable(text: str) -> str:
    """Text as PostgreSQL can keep it: without NUL, and with ? for halves of surrogate pairs, which JSON and file names may hold."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def keep_document(*, shop: Shop, body: bytes, filename: str = "", upload: Upload | None = None) -> Kept:
    """Keep one file or API answer of a shop, without buyer data.

    The natural key is shop, kind, the channel's id and the content hash: keeping the same again returns the first one.
    A file that no channel knows is kept as well, so that it can be looked at; `problem` then says what is wrong.

    Raises:
        DocumentError: the file is larger than Nova takes.
    """
    if len(body) > MAX_DOCUMENT_BYTES:
        raise DocumentError(f"The file has {len(body):,} bytes; Nova takes up to {MAX_DOCUMENT_BYTES:,}.")
    filename = storable(filename)
    adapter = get_adapter(shop.channel)
    size = len(body)
    recognised = adapter.recognise(body, filename)
    problem = ""
    owner: Adapter = adapter
    found = recognised
    if recognised is None:
        problem, other = _explain(body, filename, shop, adapter)
        if other is not None:
            owner, found = other
    personal = ()
    if found is not None:
        source = Source(body=body, kind=found.kind, filename=filename, region=shop.region, currencies=tuple(shop.currencies))
        body, personal = owner.separate_personal_data(source)  # type: ignore[assignment]
    digest = hashlib.sha256(body).digest()
    kind = recognised.kind if recognised else ""
    outside_id = storable(recognised.outside_id if recognised else "") or digest.hex()[:32]
    with transaction.atomic():
        existing = Document.objects.filter(
            company=shop.company_id, shop=shop, kind=kind, outside_id=outside_id, digest=digest
        ).first()
        if existing is not None:
            _note_file(upload, existing, filename, size, repeated=True)
            return Kept(existing, False, recognised, problem)
        if personal:
            store_personal_data(shop=shop, records=personal)
        document, created = Document.objects.get_or_create(
            company_id=shop.company_id,
            shop=shop,
            kind=kind,
            outside_id=outside_id,
            digest=digest,
            defaults={
                "upload": upload,
                "filename": filename[:255],
                "size": len(body),
                "body": zlib.compress(body, COMPRESSION_LEVEL),
            },
        )
        _note_file(upload, document, filename, size, repeated=not created)
    return Kept(document, created, recognised, problem)


def _note_file(upload: Upload | None, document: Document, filename: str, size: int, *, repeated: bool) -> None:
    """Remember which file of which upload this document is; a document kept before may be in many uploads."""
    if upload is not None:
        UploadFile.objects.get_or_create(
            company_id=document.company_id,
            upload=upload,
            document=document,
            filename=filename[:255],
            defaults={"size": size, "repeated": repeated},
        )


def _explain(body: bytes, filename: str, shop: Shop, adapter: Adapter) -> tuple[str, tuple[Adapter, Recognised] | None]:
    """Why a file is not one of this shop's channel, and whose it is."""
    if not body.strip():
        return "The file is empty.", None
    for other in adapters().values():
        if other.code == adapter.code:
            continue
        found = other.recognise(body, filename)
        if found is not None and not found.unknown_columns:
            label = other.kinds[found.kind].label
            return f"This is a file of {other.label} ({label}), but {shop.name} is a {adapter.label} shop.", (other, found)
    if b"\x00" in body[:4096] and not body.startswith((b"PK", b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")):
        return "This is not a text file, a spreadsheet or JSON.", None
    kinds = ", ".join(kind.label for kind in adapter.kinds.values())
    return f"No known {adapter.label} document was recognised. Nova reads: {kinds}.", None
