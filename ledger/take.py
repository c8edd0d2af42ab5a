"""Takes vouchers into the ledger: versions, replacement of weaker sources, fee lines by COPY, rollups, in one transaction.

The numbered way of a batch:
1. fee types, listings and statements are made sure of, each in a transaction of its own (they are small and shared);
2. the shop's row is locked, so that one shop is taken by one process at a time;
3. vouchers known with the same digest are left alone, changed ones get their next version, new ones their first;
4. versions, reversals and lines go in by COPY and set-based SQL;
5. of all sources of the same order event only the best stays active (`resolve`), the others are counter-booked;
6. the rollups follow in the same transaction.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from channels.adapter import DocumentKind, Role
from channels.models import Document, Shop
from channels.records import EventKind, EventSource, VoucherRecord
from channels.registry import get_adapter
from ledger.fee_types import ensure_fee_types
from ledger.rollup import roll_deltas, roll_vouchers
from ledger.sources import PRIME, Known, dates_of_books, resolve, resolve_twins
from nova.models import Company

_FOUR_PLACES = Decimal("0.0001")
#: Marketplace, path, name and context of what a statement's lines leave of its total.
REMAINDER_TYPE = ("", "statement", "difference", "remainder")
#: Stands for the statement's id in COPY text made ahead; no text of a line can hold it.
_STATEMENT_MARK = "\x01"
#: Parts long lists that go to the server as one text, which costs a tenth of an array.
_LIST_MARK = "\x1f"
_COPY_TABLE = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": None})

_VOUCHER_COLUMNS = (
    "id, company_id, shop_id, document_id, statement_id, family, outside_id, version, reversal, state, authority, detail, "
    "order_ref, event, part, currency, event_on, event_source, posted_on, posted_at, row, digest, money_digest, amount, "
    "current, active, withdrawn, taken_at"
)
_LINE_COLUMNS = (
    "company_id, voucher_id, seq, shop_id, fee_type_id, listing_id, statement_id, currency, amount, quantity, event_on, "
    "posted_on, state, provisional, row"
)


_KNOWN_COLUMNS = (
    "id, family, outside_id, version, order_ref, event, part, state, authority, detail, digest, money_digest, active, "
    "event_on, event_source, posted_on, amount"
)


def _known(row: Sequence[Any]) -> Known:
    return Known._make([*row[:10], bytes(row[10]), int.from_bytes(bytes(row[11]), "big"), *row[12:17]])


@dataclass(slots=True)
class Counts:
    """What a batch did."""

    new: int = 0
    unchanged: int = 0
    replaced: int = 0
    closed: int = 0
    superseded: int = 0
    restored: int = 0
    lines: int = 0

    def add(self, other: Counts) -> None:
        """Add another batch's counts."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_dict(self) -> dict[str, int]:
        """Plain numbers, for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Batch:
    """Vouchers of one document, ready to be taken. `statement_ids` maps outside ids to rows.

    `complete` names (family, statement row) pairs of which this document holds every line: current vouchers of the pair
    that are not in the document are closed.
    """

    document: Document
    kind: DocumentKind
    vouchers: Sequence[VoucherRecord]
    statement_ids: dict[str, int]
    complete: list[tuple[str, int]] = field(default_factory=list)


def escape(text: str) -> str:
    """Text for COPY's text format; NUL characters, which PostgreSQL cannot keep, are dropped."""
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return text.translate(_COPY_TABLE)


def shorten(text: str, length: int) -> str:
    """`text` within `length` characters; a longer one ends in a hash, so that different texts stay different."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if len(text) <= length:
        return text
    return f"{text[: length - 17]}~{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


def take_batches(*, shop: Shop, company: Company, batches: Sequence[Batch]) -> Counts:
    """Take the vouchers of some documents of one shop in one transaction (the caller's, if there is one).

    Locks the shop's row. Amounts are kept to four decimals; days are cut in the company's time zone.

    Raises:
        ValueError: two vouchers of one document have the same family and outside id.
    """
    writer = Writer(shop=shop, company=company)
    writer.prepare(voucher for batch in batches for voucher in batch.vouchers)
    with transaction.atomic():
        lock_shop(shop)
        return writer.write(batches)


def lock_shop(shop: Shop) -> None:
    """Wait until no other transaction takes documents of this shop; the lock ends with the transaction."""
    Shop.objects.select_for_update(no_key=True).filter(company=shop.company_id).values_list("pk").get(pk=shop.pk)


class Writer:
    """Takes one batch: `prepare` before the transaction that takes it, `write` inside, after `lock_shop`.

    Fee types and listings are shared with other imports and with approvals: made sure of inside a long transaction, they
    would be held until its end, and two imports could wait for each other. `form` works out what Python has to work out,
    so that another thread may do it while the batch before is being written.
    """

    def __init__(self, *, shop: Shop, company: Company) -> None:
        self.shop = shop
        self.company = company
        self.zone = company.zone
        self.types: dict[str, dict[tuple[str, str, str], int]] = {}
        self.listings: dict[str, int] = {}
        self.counts = Counts()
        self._has_details = any(kind.role == Role.DETAIL for kind in _kinds(shop).values())
        #: Vouchers formed ahead, by the identity of their record.
        self._formed: dict[int, _Prepared] = {}
        self._formed_sums: _Sums = {}
        #: What was worked out once for the many lines that are alike; a writer lives for one batch.
        self._line_kinds: dict[tuple[str, str], dict[tuple[str, str, str, str], tuple[str, int, str]]] = {}
        #: By identity, because hashing a decimal costs more than writing it; the amount is kept, so that its id stays its own.
        self._amounts: dict[int, tuple[Decimal, str, int]] = {}
        self._last_day: tuple[datetime | date | None, date] = (None, date.min)

    # Step 1: shared small rows ------------------------------------------------------------------------------------

    def prepare(self, vouchers: Iterable[VoucherRecord]) -> None:
        """Make sure of fee types and listings, each in a transaction of its own, before the shop is locked."""
        keys: set[tuple[str, str, str, str]] = {REMAINDER_TYPE}
        listings: set[str] = set()
        for voucher in vouchers:
            market = voucher.marketplace
            for line in voucher.lines:
                keys.add((market, line[0], line[1], line[2]))
                if line[4]:
                    listings.add(line[4])
        found = ensure_fee_types(channel=self.shop.channel, shop=self.shop, keys=keys)
        for (market, path, name, context), type_id in found.items():
            self.types.setdefault(market, {})[path, name, context] = type_id
        self.listings = ensure_listings(shop=self.shop, codes=listings)

    def form(self, *, kind: DocumentKind, vouchers: Sequence[VoucherRecord]) -> None:
        """Work out rows, COPY text and sums of vouchers ahead of `write`, after `prepare`. Nothing is written.

        Raises:
            ValueError: an amount has more than four decimals.
        """
        formed = [self._prepare_voucher(kind, record) for record in vouchers]
        with connection.cursor() as cursor:
            ids = reserve_voucher_ids(cursor, len(formed))
        for voucher_id, voucher in zip(ids, formed, strict=True):
            voucher.id = voucher_id
            voucher.text = voucher.line_text(self.company.pk, self.shop.pk)
        self._formed = {id(record): voucher for record, voucher in zip(vouchers, formed, strict=True)}
        self._formed_sums = _sum_lines(formed)

    # Steps 3 to 6 -------------------------------------------------------------------------------------------------

    def write(self, batches: Sequence[Batch]) -> Counts:
        if any(batch.vouchers for batch in batches) and not self.company.has_lines:
            Company.objects.filter(pk=self.company.pk, has_lines=False).update(has_lines=True)
            self.company.has_lines = True
        prepared: list[_Prepared] = []
        seen: dict[tuple[str, str], int] = {}
        for batch in batches:
            in_document: set[tuple[str, str]] = set()
            for record in batch.vouchers:
                voucher = self._formed.get(id(record)) or self._prepare_voucher(batch.kind, record)
                voucher.document_id = batch.document.pk
                voucher.statement_id = batch.statement_ids[record.statement] if record.statement else None
                key = (voucher.family, voucher.outside_id)
                if key in in_document:
                    raise ValueError(f"{record.family} {record.outside_id} stands twice in {batch.document}.")
                in_document.add(key)
                if key in seen:  # a later document of the same batch says it again: the later one counts
                    prepared[seen[key]] = voucher
                else:
                    seen[key] = len(prepared)
                    prepared.append(voucher)
        latest = self._latest_versions(prepared)
        fresh: list[_Prepared] = []
        outdated: list[Known] = []
        for voucher in prepared:
            known = latest.get((voucher.family, voucher.outside_id))
            if known is None:
                self.counts.new += 1
            elif known[1] and bytes(known[0].digest) == voucher.digest:
                self.counts.unchanged += 1
                continue
            else:
                voucher.version = known[0].version + 1
                if known[1]:
                    outdated.append(known[0])
                    self.counts.replaced += 1
                else:
                    self.counts.new += 1
            fresh.append(voucher)
        for batch in batches:
            if not batch.complete:
                continue
            keep = {(record.family, shorten(record.outside_id, 300)) for record in batch.vouchers}
            for family, statement_id in batch.complete:
                gone = [
                    row for row in self._current_of_statement(family, statement_id) if (row.family, row.outside_id) not in keep
                ]
                outdated.extend(gone)
                self.counts.closed += len(gone)
        touched = {(row.order_ref, row.event) for row in outdated if row.event != "other"}
        self._close(outdated)
        touched |= self._told_before(fresh)
        self._insert(fresh)
        self._resolve_orders(touched)
        self._resolve_twins([*fresh, *outdated])
        if any(voucher.event == "other" for voucher in fresh) or any(batch.complete for batch in batches) or outdated:
            self._resolve_periods()
        return self.counts

    def _prepare_voucher(self, kind: DocumentKind, record: VoucherRecord) -> _Prepared:
        event_on = self._day(record.event_at)
        posted_on = self._day(record.posted_at)
        state = (record.state or kind.state).value
        authority = kind.authority if record.authority is None else record.authority
        event = record.event.value if record.order else EventKind.OTHER.value
        types = self.types.get(record.marketplace, {})
        listings = self.listings
        currency = record.currency
        order_ref = shorten(record.order, 100)
        head = f"{order_ref}|{event}|{record.part}|{currency}|{event_on}|{posted_on}|{record.statement}|{state}|{authority}"
        fragments = []
        total = 0
        money = 0
        details = self._has_details and state == "settled" and event != "other"
        alike = self._line_kinds.setdefault((record.marketplace, currency), {})
        amounts = self._amounts
        for path, name, context, amount, listing, quantity, row in record.lines:
            line_kind = alike.get((path, name, context, listing))
            if line_kind is None:
                line_kind = alike[path, name, context, listing] = self._line_kind(
                    types[path, name, context], currency, listings[listing] if listing else None
                )
            written = amounts.get(id(amount))
            if written is None:
                written = amounts[id(amount)] = (amount, *_written(amount, record))
            first, factor, start = line_kind
            _amount, text, scaled = written
            total += scaled
            if details:
                money += scaled * factor
            # What the digest knows of a line is also the middle of its COPY row.
            middle = f"{start}{text}\t{chr(92) + 'N' if quantity is None else quantity}"
            fragments.append((first, middle, scaled, quantity, row))
        body = "\n".join(sorted([fragment[1] for fragment in fragments]))
        return _Prepared(
            statement=record.statement,
            family=record.family,
            outside_id=shorten(record.outside_id, 300),
            version=1,
            state=state,
            authority=authority,
            detail=kind.role == Role.DETAIL,
            order_ref=order_ref,
            event=event,
            part=shorten(record.part, 100),
            currency=currency,
            event_on=event_on,
            event_source=record.event_source.value,
            posted_on=posted_on,
            posted_at=record.posted_at if isinstance(record.posted_at, datetime) else None,
            row=record.row,
            digest=hashlib.blake2b(f"{head}\n{body}".encode(), digest_size=16).digest(),
            money=money % PRIME,
            amount=_unscaled(total),
            provisional="t" if record.event_source.provisional else "f",
            lines=fragments,
        )

    def _line_kind(self, type_id: int, currency: str, listing_id: int | None) -> tuple[str, int, str]:
        """What lines of one fee type, listing and currency have in common: both ids as COPY text, their factor in the money
        hash, and their COPY row from the fee type to the currency.
        """
        digest = hashlib.blake2b(repr((type_id, currency)).encode(), digest_size=15).digest()
        first = f"{type_id}\t{chr(92) + 'N' if listing_id is None else listing_id}"
        return first, int.from_bytes(digest, "big"), f"{first}\t{_STATEMENT_MARK}\t{currency}\t"

    def _day(self, moment: datetime | date) -> date:
        if not isinstance(moment, datetime):
            return moment
        last, day = self._last_day
        if moment is last:  # everything in a statement is posted at the same moment
            return day
        day = moment.astimezone(self.zone).date()
        self._last_day = (moment, day)
        return day

    def _latest_versions(self, prepared: Sequence[_Prepared]) -> dict[tuple[str, str], tuple[Known, bool]]:
        """The latest version per (family, outside id) and whether it is current."""
        if not prepared:
            return {}
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                SELECT DISTINCT ON (family, outside_id) {_KNOWN_COLUMNS}, current
                FROM ledger_voucher
                WHERE company_id = %s AND shop_id = %s AND family = ANY(%s) AND outside_id = ANY(string_to_array(%s, E'\\x1f')) AND NOT reversal
                ORDER BY family, outside_id, version DESC
                """,
                [
                    self.company.pk,
                    self.shop.pk,
                    sorted({voucher.family for voucher in prepared}),
                    _LIST_MARK.join([voucher.outside_id.replace(_LIST_MARK, "") for voucher in prepared]),
                ],
            )
            return {(row[1], row[2]): (_known(row), row[17]) for row in cursor.fetchall()}

    def _current_of_statement(self, family: str, statement_id: int) -> list[Known]:
        return self._select("family = %s AND statement_id = %s", [family, statement_id])

    def _select(self, where: str, values: Sequence[Any]) -> list[Known]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {_KNOWN_COLUMNS} FROM ledger_voucher WHERE company_id = %s AND shop_id = %s AND current AND {where}",
                [self.company.pk, self.shop.pk, *values],
            )
            return [_known(row) for row in cursor.fetchall()]

    def _close(self, rows: Sequence[Known]) -> None:
        """These versions are no longer current: their lines, where they count, are reversed."""
        if not rows:
            return
        self._reverse([row.id for row in rows if row.active])
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE ledger_voucher SET current = false WHERE company_id = %s AND id = ANY(%s)",
                [self.company.pk, [row.id for row in rows]],
            )

    def _insert(self, vouchers: Sequence[_Prepared]) -> None:
        if not vouchers:
            return
        company, shop = self.company.pk, self.shop.pk
        with connection.cursor() as cursor:
            without = [voucher for voucher in vouchers if not voucher.id]
            for voucher_id, voucher in zip(reserve_voucher_ids(cursor, len(without)), without, strict=True):
                voucher.id = voucher_id
            # The clock is the database's: taken_at is the same for the whole transaction.
            cursor.execute("SELECT now()::text")
            now = cursor.fetchone()[0]
            # Large pieces: every write gives another thread of this process its turn.
            with cursor.copy(f"COPY ledger_voucher ({_VOUCHER_COLUMNS}) FROM STDIN") as copy:
                for chunk in _chunks(vouchers, 4000):
                    copy.write("".join([voucher.copy_row(company, shop, now) for voucher in chunk]))
            with cursor.copy(f"COPY ledger_feeline ({_LINE_COLUMNS}) FROM STDIN") as copy:
                for chunk in _chunks(vouchers, 1000):
                    copy.write("".join([voucher.copy_lines(company, shop) for voucher in chunk]))
        self.counts.lines += sum(len(voucher.lines) for voucher in vouchers)
        all_formed = len(vouchers) == len(self._formed) and not without
        sums = self._formed_sums if all_formed else _sum_lines(vouchers)
        statements = {voucher.statement: voucher.statement_id for voucher in vouchers}
        roll_deltas(company=self.company, rows=_delta_rows(sums, statements, company, shop))

    # Which source counts ------------------------------------------------------------------------------------------

    def _told_before(self, fresh: Sequence[_Prepared]) -> set[tuple[str, str]]:
        """Order events of vouchers to be written that some current voucher tells, too: only those need a decision."""
        events = Counter((voucher.order_ref, voucher.event) for voucher in fresh if voucher.event != "other")
        if not events:
            return set()
        with connection.cursor() as cursor:
            # One look into the index per order, whatever the statistics say of a table that grows this fast.
            cursor.execute(
                """
                SELECT wanted.order_ref FROM unnest(string_to_array(%s, E'\\x1f')) AS wanted(order_ref)
                CROSS JOIN LATERAL (
                    SELECT 1 FROM ledger_voucher voucher
                    WHERE voucher.company_id = %s AND voucher.shop_id = %s AND voucher.order_ref = wanted.order_ref
                        AND voucher.order_ref <> '' AND voucher.current
                    LIMIT 1
                ) AS earlier
                """,
                [_LIST_MARK.join(sorted({order for order, _event in events})), self.company.pk, self.shop.pk],
            )
            earlier = {row[0] for row in cursor.fetchall()}
        return {key for key, number in events.items() if number > 1 or key[0] in earlier}

    def _resolve_orders(self, touched: set[tuple[str, str]]) -> None:
        """Of all current vouchers of the touched order events only the best stay active."""
        if not touched:
            return
        rows = self._select(
            "order_ref = ANY(%s) AND order_ref <> '' AND event <> 'other'", [sorted({order for order, _ in touched})]
        )
        groups: dict[tuple[str, str], list[Known]] = defaultdict(list)
        for row in rows:
            if (row.order_ref, row.event) in touched:
                groups[row.order_ref, row.event].append(row)
        reverse: list[int] = []
        restore: list[int] = []
        redate: dict[int, int] = {}
        for group in groups.values():
            if len(group) == 1 and group[0].active:
                continue
            best = resolve(group)
            dates = dates_of_books(group, best)
            redate |= dates
            reverse += [row.id for row in group if row.active and (row.id not in best or row.id in dates)]
            restore += [row.id for row in group if not row.active and row.id in best and row.id not in dates]
        self._reverse(reverse)
        self._restore([*restore, *redate], dates=[*restore, *redate.values()])
        self.counts.superseded += len(reverse)

    def _resolve_twins(self, touched: Sequence[_Prepared | Known]) -> None:
        """Of current vouchers without an order event that families tell under ids of their own, the best family stays active."""
        for families in get_adapter(self.shop.channel).twins:
            parts = sorted({row.part for row in touched if row.family in families and row.event == "other" and row.part})
            if not parts or self._told_once(families):
                continue
            groups: dict[str, list[Known]] = defaultdict(list)
            for row in self._select(
                "family = ANY(%s) AND event = 'other' AND part = ANY(%s) AND part <> ''", [sorted(families), parts]
            ):
                groups[row.part].append(row)
            reverse: list[int] = []
            restore: list[int] = []
            for group in groups.values():
                best = resolve_twins(group)
                reverse += [row.id for row in group if row.active and row.id not in best]
                restore += [row.id for row in group if not row.active and row.id in best]
            self._reverse(reverse)
            self._restore(restore)
            self.counts.superseded += len(reverse)

    def _told_once(self, families: frozenset[str]) -> bool:
        """Whether the shop has vouchers of at most one of these families: then nothing can be told twice."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT count(*) FROM unnest(%s::text[]) AS wanted(family)
                WHERE EXISTS (
                    SELECT 1 FROM ledger_voucher voucher
                    WHERE voucher.company_id = %s AND voucher.shop_id = %s AND voucher.family = wanted.family
                )
                """,
                [sorted(families), self.company.pk, self.shop.pk],
            )
            return bool(cursor.fetchone()[0] < 2)

    def _resolve_periods(self) -> None:
        """Provisional money without an order gives way to a statement that covers its moment in the same currency."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT voucher.id, voucher.active, EXISTS (
                    SELECT 1 FROM ledger_statement statement
                    WHERE statement.company_id = voucher.company_id AND statement.shop_id = voucher.shop_id
                        AND statement.complete AND statement.currency = voucher.currency
                        AND coalesce(voucher.posted_at, voucher.posted_on::timestamptz)
                            BETWEEN statement.period_start AND statement.period_end
                        AND EXISTS (
                            SELECT 1 FROM ledger_pnlday day
                            WHERE day.company_id = statement.company_id AND day.statement_id = statement.id AND day.state = 'settled'
                            HAVING sum(day.lines) > 0
                        )
                ) AS covered
                FROM ledger_voucher voucher
                WHERE voucher.company_id = %s AND voucher.shop_id = %s AND voucher.current AND voucher.event = 'other'
                    AND voucher.state <> 'settled' AND voucher.family <> ALL(%s)
                """,
                [self.company.pk, self.shop.pk, sorted(frozenset().union(*get_adapter(self.shop.channel).twins))],
            )
            rows = cursor.fetchall()
        reverse = [voucher_id for voucher_id, active, covered in rows if active and covered]
        self._reverse(reverse)
        self._restore([voucher_id for voucher_id, active, covered in rows if not active and not covered])
        self.counts.superseded += len(reverse)

    def _reverse(self, voucher_ids: Sequence[int]) -> None:
        """Counter-book versions: a reversal voucher each, with the negated lines."""
        if not voucher_ids:
            return
        with connection.cursor() as cursor:
            new_ids = reserve_voucher_ids(cursor, len(voucher_ids))
            cursor.execute(_REVERSE, {"company": self.company.pk, "old": list(voucher_ids), "new": new_ids})
            cursor.execute(
                _copy_lines("-line.amount", "-line.quantity"),
                {"company": self.company.pk, "old": list(voucher_ids), "new": new_ids},
            )
            cursor.execute(
                "UPDATE ledger_voucher SET active = false WHERE company_id = %s AND id = ANY(%s)",
                [self.company.pk, list(voucher_ids)],
            )
        roll_vouchers(company=self.company, voucher_ids=new_ids, reversal=True)

    def _restore(self, voucher_ids: Sequence[int], dates: Sequence[int] | None = None) -> None:
        """Let reversed versions count again: each is taken once more as the next version, with the same lines.

        `dates` names, one by one, the vouchers whose event and posting dates the next versions carry; None: their own.
        """
        if not voucher_ids:
            return
        with connection.cursor() as cursor:
            new_ids = reserve_voucher_ids(cursor, len(voucher_ids))
            parameters: dict[str, Any] = {
                "company": self.company.pk,
                "old": list(voucher_ids),
                "new": new_ids,
                "dates": list(voucher_ids if dates is None else dates),
            }
            cursor.execute(
                "UPDATE ledger_voucher SET current = false WHERE company_id = %(company)s AND id = ANY(%(old)s)", parameters
            )
            cursor.execute(_RESTORE, parameters)
            cursor.execute(_copy_lines("line.amount", "line.quantity"), parameters)
        self.counts.restored += len(voucher_ids)
        roll_vouchers(company=self.company, voucher_ids=new_ids)


@dataclass(slots=True)
class _Prepared:
    """A voucher ready for COPY. Document and statement get their ids when it is written; `statement` is the outside id."""

    statement: str
    family: str
    outside_id: str
    version: int
    state: str
    authority: int
    detail: bool
    order_ref: str
    event: str
    part: str
    currency: str
    event_on: date
    event_source: str
    posted_on: date
    posted_at: datetime | None
    row: int | None
    digest: bytes
    money: int
    amount: Decimal
    provisional: str
    #: (fee type and listing as COPY text, COPY row from fee type to quantity, amount in ten-thousandths, quantity, row)
    lines: list[tuple[str, str, int, int | None, int | None]]
    id: int = 0
    document_id: int = 0
    statement_id: int | None = None
    #: The COPY text of the lines where it was made ahead, with a mark where the statement's id goes.
    text: str = ""

    def copy_row(self, company: int, shop: int, now: str) -> str:
        statement = "\\N" if self.statement_id is None else self.statement_id
        posted_at = "\\N" if self.posted_at is None else self.posted_at.isoformat()
        row = "\\N" if self.row is None else self.row
        names = (self.family, self.outside_id, self.order_ref, self.part)
        together = "".join(names)
        if not (together.isascii() and together.isprintable()) or "\\" in together:
            names = (escape(self.family), escape(self.outside_id), escape(self.order_ref), escape(self.part))
        family, outside_id, order_ref, part = names
        return (
            f"{self.id}\t{company}\t{shop}\t{self.document_id}\t{statement}\t{family}\t{outside_id}\t{self.version}\tf\t"
            f"{self.state}\t{self.authority}\t{'t' if self.detail else 'f'}\t{order_ref}\t{self.event}\t{part}\t{self.currency}\t"
            f"{self.event_on}\t{self.event_source}\t{self.posted_on}\t{posted_at}\t{row}\t"
            f"\\\\x{self.digest.hex()}\t\\\\x{self.money:032x}\t{self.amount}\tt\tt\tf\t{now}\n"
        )

    def copy_lines(self, company: int, shop: int) -> str:
        text = self.text or self.line_text(company, shop)
        return text.replace(_STATEMENT_MARK, "\\N" if self.statement_id is None else str(self.statement_id))

    def line_text(self, company: int, shop: int) -> str:
        head = f"{company}\t{self.id}\t"
        tail = f"\t{self.event_on}\t{self.posted_on}\t{self.state}\t{self.provisional}\t"
        return "".join(
            [
                f"{head}{seq}\t{shop}\t{middle}{tail}{chr(92) + 'N' if row is None else row}\n"
                for seq, (_first, middle, _scaled, _quantity, row) in enumerate(self.lines, start=1)
            ]
        )


def _chunks(vouchers: Sequence[_Prepared], size: int) -> Iterator[Sequence[_Prepared]]:
    for start in range(0, len(vouchers), size):
        yield vouchers[start : start + size]


def _written(amount: Decimal, record: VoucherRecord) -> tuple[str, int]:
    """An amount as text with four decimals, and in ten-thousandths."""
    exact = amount.quantize(_FOUR_PLACES)
    if exact != amount:
        raise ValueError(f"{record.family} {record.outside_id}: {amount} has more than four decimals.")
    return str(exact), int(exact.scaleb(4))


def _unscaled(amount: int) -> Decimal:
    """An amount of so many ten-thousandths."""
    return Decimal(amount).scaleb(-4)


#: Per (statement's outside id, currency, state, provisional, event day, posted day): fee type and listing as COPY text ->
#: [ten-thousandths, quantity, lines].
_Sums = dict[tuple[str, str, str, str, date, date], dict[str, list[int]]]


def _sum_lines(vouchers: Iterable[_Prepared]) -> _Sums:
    """The lines of vouchers summed for the rollup."""
    groups: _Sums = {}
    for voucher in vouchers:
        head = (voucher.statement, voucher.currency, voucher.state, voucher.provisional, voucher.event_on, voucher.posted_on)
        sums = groups.get(head)
        if sums is None:
            sums = groups[head] = {}
        for first, _middle, scaled, quantity, _row in voucher.lines:
            entry = sums.get(first)
            if entry is None:
                sums[first] = [scaled, quantity or 0, 1]
            else:
                entry[0] += scaled
                entry[2] += 1
                if quantity:
                    entry[1] += quantity
    return groups


def _delta_rows(groups: _Sums, statements: Mapping[str, int | None], company: int, shop: int) -> list[str]:
    """Sums as COPY text in the order of `ledger.rollup.DELTA_COLUMNS`."""
    rows = []
    for (statement, currency, state, provisional, event_on, posted_on), sums in groups.items():
        statement_id = statements[statement]
        tail = f"{chr(92) + 'N' if statement_id is None else statement_id}\t{currency}\t{state}\t{provisional}\t{event_on}\t{posted_on}"
        for first, (scaled, quantity, number) in sums.items():
            type_id, listing = first.split("\t")
            rows.append(f"{company}\t{shop}\t{listing}\t{type_id}\t{tail}\t{_unscaled(scaled)}\t{quantity}\t{number}\n")
    return rows


def reserve_voucher_ids(cursor: Any, number: int) -> list[int]:
    """Fresh ids for vouchers, in rising order."""
    cursor.execute("SELECT nextval('ledger_voucher_id_seq') FROM generate_series(1, %s)", [number])
    return [row[0] for row in cursor.fetchall()]


_REVERSE = """
    INSERT INTO ledger_voucher (id, company_id, shop_id, document_id, statement_id, family, outside_id, version, reversal, state,
        authority, detail, order_ref, event, part, currency, event_on, event_source, posted_on, posted_at, row, digest, money_digest,
        amount, current, active, withdrawn, taken_at)
    SELECT pair.new, company_id, shop_id, document_id, statement_id, family, outside_id, version, true, state,
        authority, detail, order_ref, event, part, currency, event_on, event_source, posted_on, posted_at, row, digest, money_digest,
        -amount, false, false, withdrawn, now()
    FROM unnest(%(old)s::bigint[], %(new)s::bigint[]) AS pair(old, new)
    JOIN ledger_voucher voucher ON voucher.company_id = %(company)s AND voucher.id = pair.old
"""
_RESTORE = """
    INSERT INTO ledger_voucher (id, company_id, shop_id, document_id, statement_id, family, outside_id, version, reversal, state,
        authority, detail, order_ref, event, part, currency, event_on, event_source, posted_on, posted_at, row, digest, money_digest,
        amount, current, active, withdrawn, taken_at)
    SELECT pair.new, voucher.company_id, voucher.shop_id, voucher.document_id, voucher.statement_id, voucher.family, voucher.outside_id,
        voucher.version + 1, false, voucher.state, voucher.authority, voucher.detail, voucher.order_ref, voucher.event, voucher.part,
        voucher.currency, dated.event_on, dated.event_source, dated.posted_on, dated.posted_at, voucher.row, voucher.digest,
        voucher.money_digest, voucher.amount, true, true, false, now()
    FROM unnest(%(old)s::bigint[], %(new)s::bigint[], %(dates)s::bigint[]) AS pair(old, new, dates)
    JOIN ledger_voucher voucher ON voucher.company_id = %(company)s AND voucher.id = pair.old
    JOIN ledger_voucher dated ON dated.company_id = %(company)s AND dated.id = pair.dates
"""
_PROVISIONAL = ", ".join(f"'{source.value}'" for source in EventSource if source.provisional)


def _copy_lines(amount: str, quantity: str) -> str:
    """The lines of one voucher again for another, with that one's dates."""
    return f"""
    INSERT INTO ledger_feeline ({_LINE_COLUMNS})
    SELECT line.company_id, pair.new, line.seq, line.shop_id, line.fee_type_id, line.listing_id, line.statement_id, line.currency,
        {amount}, {quantity}, voucher.event_on, voucher.posted_on, line.state, voucher.event_source IN ({_PROVISIONAL}), line.row
    FROM unnest(%(old)s::bigint[], %(new)s::bigint[]) AS pair(old, new)
    JOIN ledger_voucher voucher ON voucher.company_id = %(company)s AND voucher.id = pair.new
    JOIN ledger_feeline line ON line.company_id = %(company)s AND line.voucher_id = pair.old
    """


def ensure_listings(*, shop: Shop, codes: Iterable[str]) -> dict[str, int]:
    """Ids of the listings of a shop by article code; unknown ones are made. Runs in a transaction of its own."""
    wanted = {code: shorten(code, 200) for code in codes}
    if not wanted:
        return {}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT code, id FROM inventory_listing WHERE company_id = %s AND shop_id = %s AND code = ANY(%s)",
            [shop.company_id, shop.pk, sorted(set(wanted.values()))],
        )
        ids = dict(cursor.fetchall())
        missing = sorted(set(wanted.values()) - ids.keys())
        if missing:
            cursor.execute(
                """
                INSERT INTO inventory_listing (company_id, shop_id, code, seller_sku, outside_id, title, first_seen_at)
                SELECT %s, %s, code, '', '', '', now() FROM unnest(%s::text[]) AS code
                ON CONFLICT (company_id, shop_id, code) DO NOTHING
                """,
                [shop.company_id, shop.pk, missing],
            )
            cursor.execute(
                "SELECT code, id FROM inventory_listing WHERE company_id = %s AND shop_id = %s AND code = ANY(%s)",
                [shop.company_id, shop.pk, missing],
            )
            ids.update(dict(cursor.fetchall()))
    return {raw: ids[code] for raw, code in wanted.items()}


def _kinds(shop: Shop) -> dict[str, DocumentKind]:
    return dict(get_adapter(shop.channel).kinds)


def withdraw_vouchers(*, shop: Shop, company: Company, document: Document) -> tuple[Counts, list[int]]:
    """Reverse every current voucher of a document and let other sources of the same money count again.

    Returns the counts and the ids of earlier documents whose versions these vouchers had replaced (to be read again).
    Runs in the caller's transaction; locks the shop's row.
    """
    writer = Writer(shop=shop, company=company)
    lock_shop(shop)
    rows = writer._select("document_id = %s", [document.pk])
    writer._reverse([row.id for row in rows if row.active])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_voucher SET current = false, active = false, withdrawn = true WHERE company_id = %s AND id = ANY(%s)",
            [company.pk, [row.id for row in rows]],
        )
        cursor.execute(
            """
            SELECT DISTINCT earlier.document_id
            FROM ledger_voucher earlier
            JOIN ledger_voucher gone ON gone.company_id = earlier.company_id AND gone.shop_id = earlier.shop_id
                AND gone.family = earlier.family AND gone.outside_id = earlier.outside_id
            WHERE gone.company_id = %s AND gone.id = ANY(%s) AND earlier.document_id <> gone.document_id AND NOT earlier.reversal
            """,
            [company.pk, [row.id for row in rows]],
        )
        earlier = [row[0] for row in cursor.fetchall()]
    writer._resolve_orders({(row.order_ref, row.event) for row in rows if row.event != "other"})
    writer._resolve_twins(rows)
    writer._resolve_periods()
    writer.counts.closed = len(rows)
    return writer.counts, earlier
