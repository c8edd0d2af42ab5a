"""How pages put rules into words: their months, how specific they are, where they stand, their history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from channels import registry
from ledger.classify import ALWAYS_FROM, ALWAYS_TO
from ledger.models import FeeCategory, FeeRule, Proposal
from ledger.preview import RuleEffect
from nova.models import User

STATUS_CLASS = {"proposed": "is-info", "approved": "is-ok", "rejected": "is-bad", "retired": "", "withdrawn": "", "draft": ""}


def channel_label(code: str) -> str:
    """What staff call a channel."""
    adapter = registry.adapters().get(code)
    return adapter.label if adapter else code


def months_of(start: date | None, end: date | None) -> str:
    """When a rule or mapping holds, in words; both ends are firsts of months, the end is exclusive."""
    start = None if start == ALWAYS_FROM else start
    end = None if end == ALWAYS_TO else end
    if start is None and end is None:
        return "always"
    if end is None:
        return f"from {start:%B %Y}"
    last = date(end.year - (end.month == 1), (end.month - 2) % 12 + 1, 1)
    return f"until {last:%B %Y}" if start is None else f"{start:%B %Y} to {last:%B %Y}"


def why(rule: FeeRule) -> str:
    """How specific a rule is, in the order in which rules are compared."""

    def part(text: str, what: str) -> str:
        if "*" not in text:
            return f"exact {what}"
        return f"any {what}" if not set(text) - {"*"} else f"{what} like {text}"

    return ", ".join(
        (
            part(rule.name, "name"),
            part(rule.path, "path"),
            rule.marketplace or "all marketplaces",
            "any context" if rule.context == "*" else f"context {rule.context}" if rule.context else "no context",
        )
    )


@dataclass(frozen=True)
class RuleRow:
    """A rule in a list, as one user sees it."""

    rule: FeeRule
    user: Any
    effect: RuleEffect | None = None

    @property
    def own(self) -> bool:
        return bool(self.rule.author_id == self.user.pk)

    @property
    def months(self) -> str:
        return months_of(self.rule.valid_from, self.rule.valid_to)

    @property
    def channel(self) -> str:
        return channel_label(self.rule.channel)

    @property
    def place(self) -> str:
        """Where the fee must stand, in words where the rule takes any place."""
        return "any place" if self.rule.path == "*" else self.rule.path

    @property
    def status_class(self) -> str:
        return STATUS_CLASS.get(self.rule.status, "")

    @property
    def narrow(self) -> str:
        """What narrows or widens the rule beside its name, for a small line below it."""
        words = [self.rule.marketplace or "all marketplaces"]
        if self.rule.context:
            words.append("any context" if self.rule.context == "*" else f"context {self.rule.context}")
        return ", ".join(words)


@dataclass(frozen=True)
class Happening:
    """One entry of a rule's history."""

    at: datetime
    status: str
    months: str
    who: str
    reason: str


def history_of(rule: Proposal) -> list[Happening]:
    """What happened to a rule, as the database kept it, the latest first."""
    model: Any = type(rule).pgh_event_model  # type: ignore[attr-defined]
    events = list(model.objects.filter(pgh_obj_id=rule.pk).select_related("pgh_context").order_by("-pgh_id"))
    contexts = [event.pgh_context.metadata if event.pgh_context else {} for event in events]
    people = User.objects.in_bulk({context["user"] for context in contexts if context.get("user")})
    return [
        Happening(
            at=event.pgh_created_at,
            status=event.get_status_display(),
            months=months_of(event.valid_from, event.valid_to),
            who=str(people.get(context.get("user"), "by hand, outside Nova's pages")),
            reason=event.decision_reason or event.reason,
        )
        for event, context in zip(events, contexts, strict=True)
    ]


def category_choices() -> list[FeeCategory]:
    """The categories a fee can be given, in the order of the P&L; suspense is not one."""
    return list(FeeCategory.objects.exclude(code="adj.unmapped"))


def read_category(text: str) -> str:
    """The code in what somebody typed or picked: "plt.referral" or "plt.referral · Referral fee" """
    return text.split("·", 1)[0].strip()


def read_ids(values: Iterable[str]) -> list[int]:
    """The row ids among the values of a form or an address; whatever is none is left out."""
    return list(dict.fromkeys(int(value) for value in values if value.isascii() and value.isdigit() and len(value) < 19))


def read_words(text: str) -> str:
    """Words as somebody entered them, without the one character that cannot be kept."""
    return text.replace("\x00", "").strip()


def read_month(text: str) -> date | None:
    """A month as browsers send it ("2026-03" or a day of it); empty is None.

    Raises:
        ValueError: not a month.
    """
    value = text.strip()
    if not value:
        return None
    try:
        return date.fromisoformat(value if len(value) > 7 else f"{value}-01")
    except ValueError:
        raise ValueError(f"{value!r} is not a month such as 2026-03.") from None
