"""The contract of a channel. One folder under `channels/` per channel; `registry.py` finds it, no other edit is needed.

A folder holds `adapter.py` with a module-level `adapter: Adapter`, and `fees.csv` with Nova's proposals for every known
raw fee name (columns: path, name, context, marketplace, category, confidence, note).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from channels.records import ParsedDocument, PersonalRecord, State


class Role(StrEnum):
    """What a document kind is for in one shop: books and provisional make fee lines, detail adds knowledge, check compares."""

    BOOKS = "books"
    PROVISIONAL = "provisional"
    DETAIL = "detail"
    CHECK = "check"


@dataclass(frozen=True)
class DocumentKind:
    """One kind of document of a channel.

    `authority` orders the sources of the same money: of two settled sources of one statement and order the higher one
    is the books, the lower one only compares. `columns` are the canonical names of a table export, needed for matching
    the columns of an export whose headers are not known; empty for JSON.
    """

    code: str
    label: str
    role: Role
    state: State
    authority: int
    parser_version: int = 1
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column that a table export must or may have. `kind` is text, amount, date, integer; `known` are headers seen."""

    code: str
    label: str
    kind: str = "text"
    required: bool = False
    known: tuple[str, ...] = ()
    #: amount columns that add up to this column on every row (used to suggest a match by arithmetic)
    sum_of: tuple[str, ...] = ()
    #: amount columns whose sum over all rows is the sum over all rows of this one (a total on a summary row)
    adds_down: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """The bytes of one document and what is known beside them. `region` and `currency` are those of the shop.

    `columns` maps canonical column codes to the headers (or 0-based positions as text) of this export, as matched by staff.
    `accept_difference` says that staff agreed to take a statement whose lines do not add up to its total.
    """

    body: bytes
    kind: str
    filename: str = ""
    region: str = ""
    currencies: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    accept_difference: bool = False


@dataclass(frozen=True)
class Recognised:
    """What an adapter thinks a file is. `kind` is a DocumentKind code; `unknown_columns` asks staff to match headers."""

    kind: str
    outside_id: str = ""
    unknown_columns: bool = False
    headers: tuple[str, ...] = ()


class DocumentError(Exception):
    """A document cannot be taken. The message says what is wrong and where, in words staff can act on.

    `row` is the 1-based line of a text file, None when the whole is meant. `difference` is set when the only thing wrong
    is that lines and total differ (staff may accept it then).
    """

    def __init__(self, message: str, *, row: int | None = None, difference: Decimal | None = None) -> None:
        self.row = row
        self.difference = difference
        super().__init__(f"Line {row}: {message}" if row is not None else message)


def headers_digest(headers: Sequence[str]) -> str:
    """What a remembered column match is found by: the same headers in the same order, whatever their case and blanks."""
    return hashlib.sha256("\x1f".join(" ".join(header.split()).casefold() for header in headers).encode()).hexdigest()


@dataclass(frozen=True)
class FeeProposal:
    """One row of an adapter's fees.csv: Nova's proposal for a raw fee name. `name` may hold `*` as a wildcard."""

    path: str
    name: str
    context: str
    marketplace: str
    category: str
    confidence: str
    note: str


class Adapter(ABC):
    """What Nova needs from a channel. All methods are pure: bytes in, records out; no database, no clock, no network."""

    code: str
    label: str
    regions: Mapping[str, str]
    """Region code -> label, the values allowed for a shop of this channel."""
    #: What people write for a region, such as a country in it, in capitals -> region code.
    region_aliases: Mapping[str, str] = {}
    kinds: Mapping[str, DocumentKind]
    #: Kinds of which one must be taken before a shop's money may enter the unified P&L (MONEY.md rule 4); empty: none.
    revenue_kinds: frozenset[str] = frozenset()
    #: Source families that tell the same money under ids of their own (an export without ids and its API twin), so that only
    #: `VoucherRecord.part` joins them: of their vouchers without an order event (EventKind.OTHER) and with the same part,
    #: those of the surest and strongest family count. One frozenset per money stream.
    twins: tuple[frozenset[str], ...] = ()
    #: False where shops count their orders from 1 on: the same order id in two shops then says nothing about a wrong upload.
    order_ids_are_unique: bool = True

    @abstractmethod
    def recognise(self, body: bytes, filename: str) -> Recognised | None:
        """What kind of document these bytes are, or None if they are none of this channel's. Must be fast and never raise."""

    @abstractmethod
    def parse(self, source: Source) -> ParsedDocument:
        """The records of one document.

        Raises:
            DocumentError: truncated, of another kind, unbalanced, not text; the message names line and reason.
        """

    def separate_personal_data(self, source: Source) -> tuple[bytes, Sequence[PersonalRecord]]:
        """The bytes to keep, with buyer data replaced by tokens, and the buyer data. Default: there is none."""
        return source.body, ()

    def default_marketplace(self, region: str) -> str:
        """The marketplace of a sale when the document names none."""
        return f"{self.label} {region}".strip()

    def outside_url(self, kind: str, outside_id: str, region: str) -> str:
        """Where staff can see the thing at the channel, "" if there is no such page."""
        return ""
