"""The contract of a channel, held by every folder under `channels/`."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.adapter import DocumentError, Role, Source
from channels.records import CONTEXTS, ParsedDocument, State
from channels.registry import adapters, get_adapter
from channels.tables import header_key
from tests.contract.junk import documents

LESS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


def test_a_channel_has_a_code_a_label_and_regions(code):
    adapter = get_adapter(code)
    assert adapter.code == code and code.isidentifier() and adapter.label.strip()
    assert adapter.regions and all(isinstance(region, str) and label.strip() for region, label in adapter.regions.items())
    assert set(adapter.region_aliases.values()) <= set(adapter.regions)
    assert all(alias == alias.upper() for alias in adapter.region_aliases)
    for region in adapter.regions:
        marketplace = adapter.default_marketplace(region)
        assert marketplace and len(marketplace) <= 60 and "\x00" not in marketplace


def test_kinds_are_consistent(code):
    adapter = get_adapter(code)
    assert adapter.kinds
    assert adapter.revenue_kinds <= adapter.kinds.keys()
    for key, kind in adapter.kinds.items():
        assert kind.code == key and kind.label.strip() and len(key) <= 60
        assert isinstance(kind.role, Role) and isinstance(kind.state, State) and kind.parser_version >= 1
        assert kind.role is not Role.PROVISIONAL or kind.state is not State.SETTLED, f"{key}: provisional money is not settled"
        assert 0 <= kind.authority < 2**15


def test_the_books_are_stronger_than_their_details(code):
    kinds = get_adapter(code).kinds.values()
    books = [kind.authority for kind in kinds if kind.role is Role.BOOKS]
    details = [kind.authority for kind in kinds if kind.role is Role.DETAIL]
    assert books and all(max(books) > authority for authority in details)


def test_columns_are_unique_known_and_add_up_only_from_others(code):
    for kind in get_adapter(code).kinds.values():
        codes = [column.code for column in kind.columns]
        assert len(codes) == len(set(codes)), kind.code
        headers: dict[str, str] = {}
        for column in kind.columns:
            assert column.kind in ("text", "amount", "date", "integer") and column.label.strip()
            for part in column.sum_of:
                assert part in codes and part != column.code, (kind.code, column.code, part)
                assert next(other for other in kind.columns if other.code == part).kind == "amount"
            assert column.code not in column.adds_down
            assert column.kind == "amount" or not (column.sum_of or column.adds_down)
            for header in column.known:
                owner = headers.setdefault(header_key(header), column.code)
                assert owner == column.code, f"{kind.code}: the header {header!r} is known of {owner} and {column.code}"


def test_recognise_never_raises_and_names_a_kind_that_exists(code, kind_code):
    adapter = get_adapter(code)

    @LESS
    @given(body=documents(adapter.kinds[kind_code]), filename=st.sampled_from(["", "export.csv", "page.json", "x" * 300]))
    def holds(body: bytes, filename: str) -> None:
        found = adapter.recognise(body, filename)
        assert found is None or found.kind in adapter.kinds
        assert found is None or not found.unknown_columns or found.headers

    holds()


@pytest.mark.parametrize("separator", ["\t", ","])
def test_a_table_with_the_headers_of_one_channel_is_claimed_by_no_other(code, kind_code, separator):
    columns = get_adapter(code).kinds[kind_code].columns
    headers = [column.known[0] if column.known else column.label for column in columns]
    cells = [{"amount": "1.00", "date": "2026-05-01", "integer": "1"}.get(column.kind, "A-1") for column in columns]
    body = "\n".join(separator.join(row) for row in (headers, cells, cells)).encode()
    for other in adapters().values():
        assert other.code == code or not columns or other.recognise(body, "export.csv") is None


def test_parse_raises_document_errors_and_nothing_else(code, kind_code):
    adapter = get_adapter(code)
    kind = adapter.kinds[kind_code]
    columns = {column.code: str(place) for place, column in enumerate(kind.columns)}

    @LESS
    @given(body=documents(kind), matched=st.booleans(), accept=st.booleans(), region=st.sampled_from(sorted(adapter.regions)))
    def holds(body: bytes, matched: bool, accept: bool, region: str) -> None:
        source = Source(
            body=body,
            kind=kind_code,
            filename="document",
            region=region,
            currencies=("USD",),
            columns=columns if matched else {},
            accept_difference=accept,
        )
        with contextlib.suppress(DocumentError):
            _check_records(adapter.parse(source))

    holds()


def _check_records(parsed: ParsedDocument) -> None:
    """What the ledger relies on, whatever the document."""
    seen: set[tuple[str, str]] = set()
    for voucher in parsed.vouchers:
        assert (voucher.family, voucher.outside_id) not in seen, "one voucher twice in one document"
        seen.add((voucher.family, voucher.outside_id))
        assert voucher.outside_id and len(voucher.currency) == 3 and voucher.currency.isupper() and len(voucher.marketplace) <= 60
        for line in voucher.lines:
            assert line.context in CONTEXTS
            assert line.amount.is_finite() and line.amount == round(line.amount, 4)


def test_a_kind_that_does_not_exist_is_refused(code):
    with contextlib.suppress(DocumentError):
        get_adapter(code).parse(Source(body=b"{}", kind="a kind of tomorrow"))
        raise AssertionError("an unknown kind was parsed")


def test_separating_buyer_data_never_raises_anything_else_and_finds_nothing_more_the_second_time(code, kind_code):
    adapter = get_adapter(code)

    @LESS
    @given(body=documents(adapter.kinds[kind_code]))
    def holds(body: bytes) -> None:
        with contextlib.suppress(DocumentError):
            kept, records = adapter.separate_personal_data(Source(body=body, kind=kind_code))
            assert all(record.token and len(record.token) <= 64 for record in records)
            _again, more = adapter.separate_personal_data(Source(body=kept, kind=kind_code))
            assert not more

    holds()
