"""Matching the columns of an export in a language that Nova does not know: by words, by sums, by place."""

from __future__ import annotations

import io
from collections.abc import Sequence
from decimal import Decimal

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.adapter import Column, DocumentError, DocumentKind, Role
from channels.column_sums import sums_across, sums_down
from channels.columns import Suggestion, as_match, read_table_for_matching, suggest_columns
from channels.records import State


def kind(*columns: Column) -> DocumentKind:
    return DocumentKind("income", "Income export", Role.BOOKS, State.SETTLED, 10, columns=columns)


INCOME = kind(
    Column("order", "Order id", required=True, known=("Order/adjustment ID",)),
    Column("settled_on", "Settled on", "date", required=True),
    Column("settlement", "Settlement amount", "amount", required=True, sum_of=("revenue", "fees", "shipping")),
    Column("revenue", "Revenue", "amount", sum_of=("sales", "refunds")),
    Column("sales", "Sales", "amount"),
    Column("refunds", "Refunds", "amount"),
    Column("fees", "Fees", "amount"),
    Column("shipping", "Shipping", "amount"),
)


def by_column(suggestions: Sequence[Suggestion]) -> dict[str, Suggestion]:
    return {item.column: item for item in suggestions}


money = st.integers(min_value=-9_999_99, max_value=9_999_99).map(lambda cents: Decimal(cents).scaleb(-2))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_amounts_whose_sums_hold_are_found_whatever_they_are_called_and_wherever_they_stand(data):
    number = data.draw(st.integers(min_value=8, max_value=30))
    rows = []
    for _ in range(number):
        sales, refunds, fees, shipping, noise = data.draw(st.tuples(money, money, money, money, money))
        rows.append(
            {
                "order": "576" + data.draw(st.text("0123456789", min_size=15, max_size=15)),
                "settlement": sales + refunds + fees + shipping,
                "revenue": sales + refunds,
                "sales": sales,
                "refunds": refunds,
                "fees": fees,
                "shipping": shipping,
                "noise": noise,
            }
        )
    order = data.draw(st.permutations(list(rows[0])))
    headers = [f"{place} ж{place * 7 % 11}" for place in range(len(order))]
    # Without figures in every part chance decides; a column of zeros is part of every sum.
    if any(all(row[name] == 0 for row in rows) for name in order if name != "order"):
        return
    expected = {
        (order.index("settlement"), frozenset(order.index(name) for name in ("revenue", "fees", "shipping"))),
        (order.index("revenue"), frozenset(order.index(name) for name in ("sales", "refunds"))),
    }
    units = {place: [int(row[name].scaleb(4)) for row in rows] for place, name in enumerate(order) if name != "order"}
    found = set(sums_across(units))
    assert expected <= found
    if len(found) > 3:  # the third is the settlement over the parts of the revenue; more are chance
        return
    match = by_column(suggest_columns(INCOME, headers, [[str(row[name]) for name in order] for row in rows]))
    assert order[match["settlement"].place] == "settlement" and match["settlement"].level == "high"
    assert order[match["revenue"].place] == "revenue" and f"adds up on {number} of {number} rows" in match["revenue"].reason
    for one, other in (("sales", "refunds"), ("fees", "shipping")):
        # Which is which no sum can tell; they are not mixed up with anything else, and said to be a guess.
        assert {order[match[one].place], order[match[other].place]} == {one, other}
        assert match[one].level == match[other].level == "low"


@given(st.lists(st.lists(st.integers(-5, 5), min_size=3, max_size=7), min_size=2, max_size=12), st.data())
def test_every_sum_that_is_told_holds_on_every_row(rows, data):
    width = min(len(row) for row in rows)
    columns = {place: [row[place] for row in rows] for place in range(width)}
    for total, parts in sums_across(columns):
        assert total not in parts and len(parts) >= 2
        assert all(row[total] == sum(row[part] for part in parts) for row in rows)
    for total, parts in sums_down(columns):
        assert sum(columns[total]) == sum(sum(columns[part]) for part in parts)


def test_headers_that_are_known_come_first_and_sums_confirm_them():
    headers = ["Order id", "Settled on", "Settlement amount", "Revenue", "Fees", "Shipping"]
    rows = [[f"A-{n}", "2026-05-01", f"{n * 3 - 5}.00", f"{n * 3}.00", "-4.00", "-1.00"] for n in range(2, 12)]
    match = by_column(suggest_columns(INCOME, headers, rows))
    assert all(item.confidence == 1.0 for item in match.values()) and len(match) == 6
    assert "its header is known; adds up on 10 of 10 rows" in match["settlement"].reason
    assert as_match(match.values())["settlement"] == "Settlement amount"


def test_a_header_that_is_only_much_like_a_known_one_is_offered_with_less_confidence():
    match = by_column(suggest_columns(INCOME, ["Order-/adjustments ID", "X"], [["A-1", "a"], ["A-2", "b"]]))
    assert match["order"].header == "Order-/adjustments ID" and match["order"].level == "medium"
    assert "much like Order/adjustment ID" in match["order"].reason


def test_the_only_date_left_stands_for_the_date_that_is_needed():
    match = by_column(suggest_columns(INCOME, ["Bestellung", "Wann"], [["A-1", "03.05.2026"], ["A-2", "04.05.2026"]]))
    assert match["settled_on"].header == "Wann" and match["settled_on"].level == "low"


def test_headers_that_repeat_are_named_by_their_position():
    rows = [
        ["x", "2026-05-01", "3.00", "5.00", "-2.00"],
        *[["x", "2026-05-01", f"{n}.00", f"{n + 2}.00", "-2.00"] for n in range(9)],
    ]
    simple = kind(
        Column("net", "Net", "amount", sum_of=("gross", "fee")), Column("gross", "G", "amount"), Column("fee", "F", "amount")
    )
    match = by_column(suggest_columns(simple, ["?", "?", "Betrag", "Betrag", "Betrag"], rows))
    assert match["net"].header == "2"


def test_a_decimal_comma_and_thousands_are_understood():
    rows = [["1.234,50", "1.300,00", "-65,50"], *[[f"{n}00,00", f"{n}10,00", "-10,00"] for n in range(1, 9)]]
    simple = kind(
        Column("net", "Net", "amount", sum_of=("gross", "fee")), Column("gross", "G", "amount"), Column("fee", "F", "amount")
    )
    assert by_column(suggest_columns(simple, ["a", "b", "c"], rows))["net"].header == "a"


def test_the_table_is_found_below_titles_in_text_and_in_a_workbook():
    text = 'Bericht Mai;;\n;;\n"Bestellung";"Datum";"Betrag"\nA-1;2026-05-01;5,00\n'
    table = read_table_for_matching(text.encode("windows-1252"), "bericht.csv")
    assert table.headers == ("Bestellung", "Datum", "Betrag") and table.rows == [(4, ["A-1", "2026-05-01", "5,00"])]
    book = openpyxl.Workbook()
    book.active.append(["Nothing here"])
    sheet = book.create_sheet("Mai")
    for cells in (["Bericht Mai"], [], ["Bestellung", "Datum", "Betrag"], ["A-1", "2026-05-01", 5]):
        sheet.append(cells)
    file = io.BytesIO()
    book.save(file)
    table = read_table_for_matching(file.getvalue(), "bericht.xlsx", headers=("Bestellung", "Datum", "Betrag"))
    assert table.headers == ("Bestellung", "Datum", "Betrag") and table.rows[0][1] == ["A-1", "2026-05-01", "5"]
    with pytest.raises(DocumentError, match="no table"):
        read_table_for_matching(b"just words\n", "note.txt")
