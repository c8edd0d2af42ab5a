"""What approving scope rules would change: which money enters or leaves the unified P&L and the channel pages. Reads only.

Amounts are exact decimals in the company's currency, seller's view; months are those of the event clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from django.db import connection

from ledger.models import ScopeRule
from ledger.pnl_frame import ScopeRow, read_frame
from ledger.pnl_question import Question
from ledger.preview import ZERO, scope_of
from ledger.supersede import Ending, plan_endings
from nova.models import Company

_MONEY = """
    SELECT month.month, month.shop_id, mapping.category_id, sum(month.base_amount), sum(month.lines)::bigint
    FROM ledger_pnlmonth month
    JOIN ledger_mapping mapping ON mapping.company_id = month.company_id AND mapping.fee_type_id = month.fee_type_id
        AND mapping.known_to IS NULL AND month.month >= mapping.valid_from AND month.month < mapping.valid_to
    WHERE month.company_id = %s AND month.clock = 'event' AND mapping.category_id = ANY(%s)
    GROUP BY 1, 2, 3
    HAVING sum(month.base_amount) <> 0 OR sum(month.lines) <> 0
"""


@dataclass
class ScopeMove:
    """Money of a category of a channel that is shown elsewhere afterwards: amounts and lines by month."""

    channel: str
    category: str
    origin: str
    target: str
    months: dict[date, tuple[Decimal, int]] = field(default_factory=dict)

    @property
    def amount(self) -> Decimal:
        return sum((amount for amount, _lines in self.months.values()), ZERO)

    @property
    def lines(self) -> int:
        return sum(lines for _amount, lines in self.months.values())


@dataclass
class ScopePreview:
    """The exact effect of a set of scope rules. `cells` are the change of the unified P&L by month and category."""

    company: Company
    rules: int
    moves: list[ScopeMove] = field(default_factory=list)
    cells: dict[tuple[date, str], Decimal] = field(default_factory=dict)
    endings: list[Ending[ScopeRule]] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def preview_scopes(*, company: Company, proposals: Sequence[ScopeRule]) -> ScopePreview:
    """The effect of approving these scope rules together, saved or not."""
    return _Scopes(company, proposals).preview(proposals)


def preview_scopes_each(*, company: Company, proposals: Sequence[ScopeRule]) -> dict[int, ScopePreview]:
    """The effect of each scope rule if it alone were approved, by rule id: for lists. The money is read once."""
    if not proposals:
        return {}
    scopes = _Scopes(company, proposals)
    return {rule.pk: scopes.preview([rule]) for rule in proposals}


class _Scopes:
    """What previews of scope rules need: the rules in force and the money of their categories, read once."""

    def __init__(self, company: Company, proposals: Sequence[ScopeRule]) -> None:
        self.company = company
        chosen = {rule.pk for rule in proposals if rule.pk}
        self.approved = [
            rule
            for rule in ScopeRule.objects.filter(company=company, status=ScopeRule.Status.APPROVED).select_related("category")
            if rule.pk not in chosen
        ]
        self.frame = read_frame(Question(company=company), ())
        with connection.cursor() as cursor:
            cursor.execute(_MONEY, [company.pk, sorted({rule.category_id for rule in proposals})])
            self.money = cursor.fetchall()

    def preview(self, proposals: Sequence[ScopeRule]) -> ScopePreview:
        plan = plan_endings(approved=self.approved, proposals=proposals)
        result = ScopePreview(company=self.company, rules=len(proposals), endings=plan.endings, conflicts=plan.conflicts)
        after = replace(
            self.frame,
            scopes=[
                ScopeRow(rule.channel, rule.category_id, rule.scope, rule.valid_from, rule.valid_to)
                for rule in plan.in_force(self.approved, proposals)
            ],
        )
        moves: dict[tuple[str, int, str, str], ScopeMove] = {}
        for month, shop_id, category_id, amount, lines in self.money:
            old, new = (scope_of(frame, shop_id, category_id, month) for frame in (self.frame, after))
            if old == new:
                continue
            code, channel = self.frame.categories[category_id].code, self.frame.shops[shop_id].channel
            move = moves.setdefault((channel, category_id, old, new), ScopeMove(channel, code, old, new))
            money, number = move.months.get(month, (ZERO, 0))
            move.months[month] = (money + amount, number + lines)
            if ScopeRule.Scope.UNIFIED in (old, new):
                change = amount if new == ScopeRule.Scope.UNIFIED else -amount
                result.cells[month, code] = result.cells.get((month, code), ZERO) + change
        result.cells = {key: amount for key, amount in sorted(result.cells.items()) if amount}
        result.moves = sorted(moves.values(), key=lambda move: (-abs(move.amount), move.category))
        return result
