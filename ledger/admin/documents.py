"""Admin of what the ledger took: intakes, withdrawals, statements, payouts, vouchers, fee lines. Nobody edits these by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.paginator import InfinitePaginator

from channels.admin import link
from ledger.models import FeeLine, LedgerIntake, Payout, Statement, Voucher, Withdrawal
from ledger.statements import statement_checks
from nova.admin import ReadOnlyAdmin, labelled
from nova.templatetags.nova_tags import money


def document_link(obj: Any, document_id: int, row: int | None, text: str) -> Any:
    """A link into a document, at the row when there is one."""
    anchor = link("ledger:document", text, code=obj.company.code, pk=document_id)
    return format_html("{}", anchor) if row is None else format_html(str(anchor).replace('/">', '/?row={}">'), row)


@admin.register(LedgerIntake)
class IntakeAdmin(ReadOnlyAdmin):
    """How far the ledger is with each document."""

    list_display = ("document", "shop", "state_label", "attempts", "reason", "finished_at", "company")
    list_filter = (("state", ChoicesDropdownFilter), "document__shop")
    list_select_related = ("company", "document", "document__shop")
    search_fields = ("document__filename__icontains", "document__outside_id")
    ordering = ("-id",)
    fields = (
        "page", "document", "state_label", "attempts", "not_before", "error", "question", "answered", "answered_by",
        "accept_difference", "parser_version", "started_at", "finished_at", "result",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("document__body")

    @admin.display(description="shop")
    def shop(self, obj: LedgerIntake) -> Any:
        return obj.document.shop

    @labelled(
        description="state",
        ordering="state",
        label={"Waiting": "info", "Being read": "info", "Needs an answer": "warning", "Taken": "success", "Failed": "danger"},
    )
    def state_label(self, obj: LedgerIntake) -> str:
        return obj.get_state_display()

    @admin.display(description="why")
    def reason(self, obj: LedgerIntake) -> str:
        text = obj.question or obj.error
        return text if len(text) <= 120 else text[:119] + "…"

    @admin.display(description="page")
    def page(self, obj: LedgerIntake) -> Any:
        return link("ledger:document", "Open, answer, withdraw", code=obj.company.code, pk=obj.document_id)


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnlyAdmin):
    """Imports that were taken back, by whom and why, and whether that was undone."""

    list_display = ("document", "reason", "withdrawn_by", "withdrawn_at", "undone_by", "undone_at", "company")
    list_filter = (("undone_at", admin.EmptyFieldListFilter),)
    list_select_related = ("company", "document", "withdrawn_by", "undone_by")
    search_fields = ("document__filename__icontains", "reason")
    ordering = ("-id",)
    fields = ("page", "document", "reason", "withdrawn_by", "withdrawn_at", "undone_by", "undone_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("document__body")

    @admin.display(description="page")
    def page(self, obj: Withdrawal) -> Any:
        return link("ledger:document", "Open, undo", code=obj.company.code, pk=obj.document_id)


class WithMoney:
    """Amounts of a list: right-aligned digits, colour and sign; exact in exports."""

    export_values = {"amount_cell": "amount"}
    export_leave_out: Sequence[str] = ("proof",)

    @admin.display(description="amount", ordering="amount")
    def amount_cell(self, obj: Any) -> Any:
        return money(obj.amount, obj.currency)


@admin.register(Statement)
class StatementAdmin(ReadOnlyAdmin):
    """The channels' statements with what their lines come to; read in one go for the whole page of the list."""

    list_display = (
        "outside_id", "shop", "closed_at", "currency", "lines_cell", "sum_cell", "total_cell", "deposit_cell", "difference_cell",
        "verdict", "company",
    )  # fmt: skip
    list_filter = ("shop", ("closed_at", RangeDateFilter))
    list_select_related = ("company", "shop", "payout")
    search_fields = ("outside_id", "payout_ref")
    ordering = ("-closed_at", "-id")
    fields = (
        "page", "outside_id", "shop", "currency", "period_start", "period_end", "closed_at", "total_cell", "deposit_cell", "reserve",
        "complete", "payout", "payout_ref",
    )  # fmt: skip
    readonly_fields = fields

    export_values = {
        "lines_cell": "check.lines",
        "sum_cell": "check.sum",
        "total_cell": "total",
        "deposit_cell": "deposit",
        "difference_cell": "check.difference",
    }

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        self.prepare_rows(rows)
        changelist.result_list = rows
        return changelist

    def prepare_rows(self, rows: Any) -> None:
        checks = {
            check.id: check
            for company_id in {row.company_id for row in rows}
            for check in statement_checks(company_id, ids=[row.pk for row in rows if row.company_id == company_id])
        }
        for row in rows:
            row.check = checks[row.pk]

    @admin.display(description="lines")
    def lines_cell(self, obj: Any) -> Any:
        return obj.check.lines

    @admin.display(description="sum of lines")
    def sum_cell(self, obj: Any) -> Any:
        return money(obj.check.sum, obj.currency)

    @admin.display(description="stated total", ordering="total")
    def total_cell(self, obj: Any) -> Any:
        return money(obj.total, obj.currency) if obj.total is not None else "not told"

    @admin.display(description="deposit", ordering="deposit")
    def deposit_cell(self, obj: Any) -> Any:
        return money(obj.deposit, obj.currency) if obj.deposit is not None else "not told"

    @admin.display(description="difference")
    def difference_cell(self, obj: Any) -> Any:
        return money(obj.check.difference, obj.currency)

    @labelled(description="check", label={"Adds up": "success", "Does not add up": "danger", "Not complete yet": "info"})
    def verdict(self, obj: Any) -> str:
        if not obj.check.complete:
            return "Not complete yet"
        return "Adds up" if not obj.check.difference else "Does not add up"

    @admin.display(description="page")
    def page(self, obj: Any) -> Any:
        return link("ledger:statement", "Open the check", code=obj.company.code, pk=obj.pk)


@admin.register(Payout)
class PayoutAdmin(WithMoney, ReadOnlyAdmin):
    """Transfers from the channels to the bank, and charges."""

    list_display = ("outside_id", "shop", "paid_on", "status_label", "currency", "amount_cell", "trace", "company")
    list_filter = ("shop", ("status", ChoicesDropdownFilter), ("paid_on", RangeDateFilter))
    list_select_related = ("company", "shop")
    search_fields = ("outside_id", "trace")
    ordering = ("-paid_on", "-id")
    fields = ("outside_id", "shop", "paid_on", "status", "currency", "amount_cell", "trace", "statements_text", "proof")
    readonly_fields = fields

    @labelled(
        description="status",
        ordering="status",
        label={"Paid": "success", "Failed": "danger", "Cancelled": "warning", "Expected": "info", "In transit": "info"},
    )
    def status_label(self, obj: Payout) -> str:
        return obj.get_status_display()

    @admin.display(description="statements")
    def statements_text(self, obj: Payout) -> str:
        return ", ".join(obj.statements.values_list("outside_id", flat=True)) or "none known"

    @admin.display(description="document")
    def proof(self, obj: Payout) -> Any:
        return document_link(obj, obj.document_id, None, "Open the document")


@admin.register(Voucher)
class VoucherAdmin(WithMoney, ReadOnlyAdmin):
    """What fee lines are taken from as a whole, in versions; of several sources of the same money one is active."""

    list_display = (
        "outside_id",
        "family",
        "version",
        "shop",
        "order_ref",
        "state",
        "currency",
        "amount_cell",
        "posted_on",
        "counts",
        "proof",
        "company",
    )
    list_filter = ("shop", ("state", ChoicesDropdownFilter), "active", "reversal", ("posted_on", RangeDateFilter))
    list_select_related = ("company", "shop")
    search_fields = ("order_ref__exact", "outside_id__exact")
    search_help_text = "Order id or the channel's id, whole"
    ordering = ("-id",)
    paginator = InfinitePaginator
    fields = (
        "outside_id", "family", "version", "reversal", "shop", "statement", "order_ref", "event", "state", "authority", "currency",
        "amount_cell", "event_on", "event_source", "posted_on", "posted_at", "current", "active", "withdrawn", "taken_at", "proof",
    )  # fmt: skip
    readonly_fields = fields

    @labelled(description="counts", boolean=True, ordering="active")
    def counts(self, obj: Voucher) -> bool:
        return obj.active

    @admin.display(description="document")
    def proof(self, obj: Voucher) -> Any:
        return document_link(obj, obj.document_id, obj.row, "Open")


@admin.register(FeeLine)
class FeeLineAdmin(WithMoney, ReadOnlyAdmin):
    """Every movement of money of one kind, with its proof."""

    list_display = (
        "event_on",
        "posted_on",
        "shop",
        "fee_type",
        "listing",
        "quantity",
        "state",
        "currency",
        "amount_cell",
        "order",
        "proof",
        "company",
    )
    list_filter = ("shop", ("state", ChoicesDropdownFilter), ("event_on", RangeDateFilter))
    list_select_related = ("company", "shop", "fee_type", "listing", "voucher")
    search_fields = ("voucher__order_ref__exact",)
    search_help_text = "Order id, whole"
    ordering = ("-id",)
    paginator = InfinitePaginator
    fields = (
        "voucher", "seq", "shop", "fee_type", "listing", "statement", "currency", "amount_cell", "quantity", "event_on", "posted_on",
        "state", "provisional", "proof",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description="order")
    def order(self, obj: FeeLine) -> str:
        return obj.voucher.order_ref

    @admin.display(description="document")
    def proof(self, obj: FeeLine) -> Any:
        return document_link(obj, obj.voucher.document_id, obj.row, "Open")
