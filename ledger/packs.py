"""Rule packs: Nova's defaults of a channel, or the approved rules of one company, as proposals to companies.

A pack approves nothing: in each company its proposals wait for that company's approver.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from channels.registry import fee_proposals
from ledger.classify import RuleBook, precedence
from ledger.models import FeeCategory, FeeRule, FeeType, PnlMonth
from ledger.propose import APPROVE, PROPOSE, UNMAPPED, RuleData, propose_rules, require_member, split_known
from nova.models import Company, User

NOVA = "Nova's defaults"


def default_rules(channel: str) -> list[FeeRule]:
    """Nova's defaults of a channel as rules that belong to nobody yet, numbered by their place in fees.csv.

    Rows whose category does not exist are left out, as is suspense. A channel without fees.csv has none.
    """
    try:
        proposals = fee_proposals(channel)
    except FileNotFoundError:
        return []
    categories = {category.code: category for category in FeeCategory.objects.all()}
    rules = []
    for number, row in enumerate(proposals, start=1):
        category = categories.get(row.category)
        if category is None or row.category == UNMAPPED:
            continue
        rules.append(
            FeeRule(
                pk=number,
                channel=channel,
                marketplace=row.marketplace,
                path=row.path or "*",
                name=row.name,
                context=row.context,
                category=category,
                precedence=precedence(marketplace=row.marketplace, path=row.path or "*", name=row.name, context=row.context),
                reason="; ".join(filter(None, (row.confidence and f"Confidence: {row.confidence}", row.note))),
                source=NOVA,
            )
        )
    return rules


def seen_types(*, company: Company, channel: str) -> list[FeeType]:
    """The fee types of a channel under which a company has money."""
    seen = PnlMonth.objects.filter(company=company).order_by().values("fee_type").distinct()
    return list(FeeType.objects.filter(channel=channel, pk__in=seen))


def wanted_defaults(*, company: Company, channel: str, only_seen: bool = True) -> list[FeeRule]:
    """Nova's defaults of a channel for a company; with `only_seen` those that decide for a fee type it has money under."""
    rules = default_rules(channel)
    if not only_seen:
        return rules
    book = RuleBook(rules)
    winners = {found[0].pk for fee_type in seen_types(company=company, channel=channel) if (found := book.candidates(fee_type))}
    return [rule for rule in rules if rule.pk in winners]


def new_defaults(*, company: Company, channel: str, only_seen: bool = True) -> int:
    """How many of Nova's defaults `propose_pack` would propose now."""
    rules = wanted_defaults(company=company, channel=channel, only_seen=only_seen)
    for rule in rules:
        rule.company = company
    return len(split_known(FeeRule, company, rules)[0])


def propose_pack(
    *, company: Company, author: User, channel: str, only_seen: bool = True, valid_from: date | None = None
) -> list[FeeRule]:
    """Propose Nova's defaults of a channel to a company, leaving out what waits or is in force already.

    `only_seen` proposes only rules that decide for a fee type the company has money under.

    Raises:
        PermissionDenied: the author is no member of the company or may not propose.
        LookupError: there is no such channel.
    """
    rules = wanted_defaults(company=company, channel=channel, only_seen=only_seen)
    return propose_rules(
        company=company, author=author, items=[_data(rule) for rule in rules], valid_from=valid_from, source=NOVA, skip_known=True
    )


def propose_to_companies(
    *,
    source: Company,
    targets: Sequence[Company],
    author: User,
    rule_ids: Sequence[int] | None = None,
    only_seen: bool = False,
    reason: str = "",
) -> dict[int, int]:
    """Propose the approved rules of one company to others, each waiting for that company's approver.

    `rule_ids` picks some of them. Returns how many proposals each target got (by company id); what a target has already
    is left out. One transaction per company: those done stay done.

    Raises:
        PermissionDenied: the author is no member of one of the companies, or may not propose.
    """
    require_member(user=author, company_ids={source.pk, *(target.pk for target in targets)}, permissions=(*PROPOSE, APPROVE))
    rules = FeeRule.objects.filter(company=source, status=FeeRule.Status.APPROVED).select_related("category").order_by("pk")
    if rule_ids is not None:
        rules = rules.filter(pk__in=rule_ids)
    pack = list(rules)
    channels = sorted({rule.channel for rule in pack})
    done: dict[int, int] = {}
    for target in sorted(targets, key=lambda company: company.pk):
        if target.pk == source.pk:
            continue
        wanted = pack
        if only_seen:
            book = RuleBook(pack)
            types = [fee_type for channel in channels for fee_type in seen_types(company=target, channel=channel)]
            useful = {rule.pk for fee_type in types for rule in book.candidates(fee_type)}
            wanted = [rule for rule in pack if rule.pk in useful]
        done[target.pk] = len(
            propose_rules(
                company=target,
                author=author,
                items=[_data(rule) for rule in wanted],
                reason=reason,
                source=f"Rules of {source.name}"[:80],
                skip_known=True,
            )
        )
    return done


def _data(rule: FeeRule) -> RuleData:
    return RuleData(
        channel=rule.channel,
        name=rule.name,
        category=rule.category.code,
        path=rule.path,
        marketplace=rule.marketplace,
        context=rule.context,
        valid_from=rule.valid_from,
        valid_to=rule.valid_to,
        reason=rule.reason,
    )
