"""Takes buyer data out of Shopify's documents before they are kept: tokens stand in their place.

A token names the order, not the person: it is the same in every export of the order, so that the same file keeps the same hash,
and says nothing about the buyer once the order's key is destroyed. Country and province stay: tax needs them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from channels.adapter import DocumentError, Source
from channels.records import PersonalRecord
from channels.shopify import answers, order_nodes
from channels.shopify.exports import places
from channels.shopify.orders_export import COLUMNS
from channels.tables import decode, header_key, parse_moment, read_text_table, separator_of, unpack
from nova.money import parse_amount

MARK = "buyer of "
_PERSONAL_HEADER = re.compile(
    r"^(email|phone|notes|noteattributes|customer|deviceid|receiptnumber|paymentreferences?|employee"
    r"|(billing|shipping)(name|street|address1|address2|company|city|zip|phone|firstname|lastname))$"
)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.\w+")
_PHONE = re.compile(r"^\+?[0-9][0-9\s().\-]{7,}$")

#: Fields of an order that are about the buyer, in both spellings without case and underscores.
_PERSONAL_FIELDS = re.compile(
    r"^(email|contactemail|phone|note|noteattributes|customattributes|properties|browserip|clientdetails|customerlocale|landingsite"
    r"|referringsite|orderstatusurl|statuspageurl|carttoken|checkouttoken|token|paymentdetails|receipt|receiptjson|authorization"
    r"|destination|displayaddress|firstname|lastname|companyname|latitude|longitude|customerjourneysummary|purchasingentity)$"
)
_ADDRESS = re.compile(r"^(shipping|billing|default|origin)address$")
_KEPT_OF_ADDRESS = frozenset({"country", "countrycode", "countrycodev2", "countryname", "province", "provincecode"})
#: What stands in the place of a file that cannot be read and may name buyers.
REFUSED = "Not kept"


def token_of(source: str, order: str) -> str:
    """What stands in the place of an order's buyer data; at most 64 characters."""
    token = f"{MARK}{order} ({source})"
    if len(token) > 64:
        token = f"{MARK}{hashlib.blake2b(order.encode(), digest_size=12).hexdigest()} ({source})"
    return token


def separate_export(source: Source, *, known_headers: bool) -> tuple[bytes, list[PersonalRecord]]:
    """An Orders export as UTF-8 without buyer data.

    Where its headers are not known, every column is taken out that holds anything but amounts, dates, codes and single words.

    Raises:
        DocumentError: the bytes are no table.
    """
    text = decode(unpack(source.body))
    table = read_text_table(text)
    headers = table.headers
    found = places(COLUMNS, headers)
    kept = set(found.values())
    personal = [place for place, header in enumerate(headers) if _PERSONAL_HEADER.match(header_key(header)) and place not in kept]
    if not known_headers:
        named = set(personal)
        personal = [
            place
            for place in range(len(headers))
            if place in named
            or (place not in kept and not all(_harmless(cells[place]) for _n, cells in table.rows if place < len(cells)))
        ]
    name_at = found.get("name")
    records: dict[str, PersonalRecord] = {}
    separator = separator_of(next((line for line in text.splitlines() if line.strip()), ""))
    lines = io.StringIO()
    writer = csv.writer(lines, delimiter=separator, lineterminator="\n")

    def write(cells: Sequence[str]) -> None:
        if separator == "\t":  # such files are not quoted
            lines.write("\t".join(cells) + "\n")
        else:
            writer.writerow(cells)

    write(headers)
    for number, cells in table.rows:
        order = cells[name_at].strip() if name_at is not None and name_at < len(cells) else ""
        if not order or order.startswith(MARK) or not _harmless(order):  # a name of an order never names a buyer
            order = f"line {number} of {hashlib.blake2b(source.body, digest_size=6).hexdigest()}"
        token = token_of("export", order)
        row = list(cells)
        for place in personal:
            if place < len(row) and row[place].strip() and not row[place].startswith(MARK):
                header = headers[place] if place < len(headers) else str(place)
                record = records.setdefault(order, PersonalRecord(order, token, {}))
                record.values.setdefault(header, row[place].strip())
                row[place] = token
        write(row)
    return lines.getvalue().encode(), list(records.values())


def _harmless(cell: str) -> bool:
    text = cell.strip()
    if not text or text.startswith(MARK):
        return True
    if _MAIL.search(text):
        return False
    for reader in (parse_amount, parse_moment):
        try:
            reader(text)
        except ValueError:
            continue
        return not text.startswith("+")
    return not _PHONE.match(text) and not re.search(r"\s", text)


def separate_orders(source: Source) -> tuple[bytes, list[PersonalRecord]]:
    """A JSON document of orders without buyer data; what is not about the buyer stays as it is.

    Raises:
        DocumentError: not complete JSON.
    """
    data = answers.load(source.body)
    records: dict[str, PersonalRecord] = {}
    names: dict[str, str] = {}
    for node in answers.walk(data):
        if order_nodes.is_order(node):
            order_id = answers.plain_id(node["id"]) if node.get("id") else ""
            names[order_id] = str(node.get("name") or names.get(order_id) or order_id)
    cleaned = _clean(data, "-", names, records)
    is_lines = isinstance(data, list) and not source.body[:300].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    parts: Iterable[Any] = cleaned if is_lines else [cleaned]
    text = "\n".join(json.dumps(part, ensure_ascii=False, separators=(",", ":"), default=_number) for part in parts)
    return text.encode(), list(records.values())


def _number(value: Any) -> Any:
    # Decimals are written as text: exact, and the readers take amounts either way.
    return str(value)


def _clean(node: Any, order: str, names: dict[str, str], records: dict[str, PersonalRecord], *, path: str = "") -> Any:
    if isinstance(node, list):
        return [_clean(part, order, names, records, path=path) for part in node]
    if not isinstance(node, dict):
        return node
    if order_nodes.is_order(node) or "__parentId" in node:
        own = answers.plain_id(node.get("__parentId") or node.get("id"))
        order = names.get(own, own or order)
    cleaned = {}
    for field, value in node.items():
        plain = field.replace("_", "").lower()
        here = f"{path}{field}"
        if plain == "customer" and isinstance(value, dict):
            cleaned[field] = {
                name: part if name == "id" or part is None else _hide(part, f"{here}.{name}", order, records)
                for name, part in value.items()
            }
        elif _ADDRESS.match(plain) and isinstance(value, dict):
            cleaned[field] = {
                name: part
                if name.replace("_", "").lower() in _KEPT_OF_ADDRESS or part is None
                else _hide(part, f"{here}.{name}", order, records)
                for name, part in value.items()
            }
        elif _PERSONAL_FIELDS.match(plain) and value not in (None, "", [], {}):
            cleaned[field] = _hide(value, here, order, records)
        else:
            cleaned[field] = _clean(value, order, names, records, path=f"{here}." if isinstance(value, dict | list) else path)
    return cleaned


def _hide(value: Any, field: str, order: str, records: dict[str, PersonalRecord]) -> Any:
    if value in (None, "", [], {}) or (isinstance(value, str) and value.startswith(MARK)):
        return value
    token = token_of("api", order)
    record = records.setdefault(order, PersonalRecord(order, token, {}))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_number)
    record.values.setdefault(field, text)
    return token


def separate(source: Source, *, known_headers: bool) -> tuple[bytes, list[PersonalRecord]]:
    """The bytes to keep and the buyer data, for the kinds that hold any.

    A file that cannot be read is not kept as it is: who knows whom it names. Its place takes a sentence that says so.
    """
    try:
        if source.kind == "orders_export":
            return separate_export(source, known_headers=known_headers)
        return separate_orders(source)
    except (DocumentError, ValueError, TypeError, KeyError) as error:
        digest = hashlib.sha256(source.body).hexdigest()
        return f"{REFUSED} ({source.kind}), as it may name buyers: {error} SHA-256 of the file: {digest}".encode(), []


def refused(body: bytes) -> tuple[str, str] | None:
    """Kind and sentence of a file that was not kept; None for every other document."""
    if not body.startswith(REFUSED.encode()):
        return None
    text = body.decode(errors="replace")
    match = re.match(rf"{REFUSED} \((\w+)\), as it may name buyers: (.*) SHA-256", text, re.DOTALL)
    return (match[1], match[2].strip()) if match else None
