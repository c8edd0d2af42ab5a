"""Exports of TikTok's Seller Center, written by hand for tests."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from openpyxl import Workbook

US_HEAD = (
    "Statement date", "Statement ID", "Payment ID", "Status", "Currency", "Type", "Order/adjustment ID  ", "SKU ID", "Quantity",
    "Product name", "SKU name", "Order created date", "Order delivery date", "Total settlement amount", "Net sales", "Gross sales",
    "Gross sales refund", "Seller discount", "Seller discount refund", "Shipping", "TikTok Shop shipping fee",
    "Customer-paid shipping fee", "FBT fulfillment fee", "Fees", "Referral fee", "Refund administration fee", "Affiliate Commission",
    "Sales tax on referral fees", "Adjustment amount", "Related order ID", "Customer payment", "Customer refund",
)  # fmt: skip
SEA_HEAD = (
    "Order/adjustment ID", "Type", "Order created time(UTC)", "Order settled time(UTC)", "Currency", "Total settlement amount",
    "Total revenue", "Subtotal after seller discounts", "Subtotal before discounts", "Seller discounts",
    "Refund subtotal after seller discounts", "Refund subtotal before seller discounts", "Refund of seller discounts", "Total fees",
    "Transaction fee", "TikTok Shop commission fee", "Seller shipping fee", "Actual shipping fee", "Platform shipping fee discount",
    "Customer shipping fee", "Affiliate commission", "Affiliate commission before PIT (personal income tax)",
    "Personal income tax withheld from affiliate commission", "Voucher Xtra service fee", "Ajustment amount", "Related order ID",
    "Customer payment", "Customer refund",
)  # fmt: skip
UNSETTLED_HEAD = (
    "Type", "Order/adjustment ID", "Related order ID", "creation date", "Total estimated settlement amount", "Estimated Settle time",
    "unsettled reasons", "SKU ID", "Quantity", "SKU name", "Net sales", "Gross sales", "Fees", "Referral fee",
    "Sales tax on referral fees", "TikTok Shop shipping fee", "Customer-paid shipping fee", "Customer payment", "Adjustment amount",
)  # fmt: skip


def cells(head: Sequence[str], row: dict[str, str], blank: str = "/") -> list[str]:
    """A row in the order of the header; what it does not name is `blank`."""
    strange = set(row) - {name.strip() for name in head}
    assert not strange, f"no such column: {strange}"
    return [row.get(name.strip(), blank) for name in head]


def csv_file(
    head: Sequence[str], rows: Sequence[dict[str, str]], *, banners: Sequence[str] = (), separator: str = ",", blank: str = "/"
) -> bytes:
    """An export as CSV, with banner lines above the header."""
    out = io.StringIO()
    for banner in banners:
        out.write(banner + "\r\n")
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(head)
    writer.writerows(cells(head, row, blank) for row in rows)
    return out.getvalue().encode("utf-8-sig")


def xlsx_file(
    head: Sequence[str],
    rows: Sequence[dict[str, str]],
    *,
    sheet: str = "Order details",
    banners: Sequence[str] = (),
    report: str | None = None,
) -> bytes:
    """An export as workbook: the order details, and a report sheet that says what they come to."""
    book = Workbook()
    details = book.active
    assert details is not None
    if report is not None:
        details.title = "Reports"
        details.append(["", "Time period:", "", "", "", "2026/06/01-2026/06/30"])
        details.append(["", "Total settlement amount", "", "", "", report])
        details = book.create_sheet(sheet)
    else:
        details.title = sheet
    for banner in banners:
        details.append([banner])
    details.append(list(head))
    for row in rows:
        details.append(cells(head, row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
