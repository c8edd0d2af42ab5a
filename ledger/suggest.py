"""What an unmapped fee type probably is: from Nova's defaults, from rules approved elsewhere, from the words of its name.

A suggestion is never applied by itself: somebody proposes it and somebody else approves it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import log

from django.db.models import CharField, Func, Q, QuerySet, Value
from django.db.models.functions import Lower

from channels import registry
from ledger.classify import RuleBook, canonical
from ledger.models import FeeCategory, FeeRule, FeeType
from ledger.packs import default_rules
from ledger.propose import UNMAPPED
from nova.models import Company, User

HIGH, MEDIUM, LOW = "high", "medium", "low"
#: Below this share of agreeing words a guess would only mislead. Guessing every default from all the others, two of three
#: guesses were right and half of the names got none.
_ENOUGH = 0.34
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
#: Words that say nothing about what kind of money it is.
_EMPTY = frozenset(
    [
        "a",
        "an",
        "and",
        "for",
        "of",
        "the",
        "to",
        "on",
        "in",
        "by",
        "amount",
        "fee",
        "fees",
        "charge",
        "charges",
        "total",
        "per",
        "item",
        "order",
        "type",
        "seller",
    ]
)


@dataclass(frozen=True)
class Suggestion:
    """A category for a fee type, how sure it is (high, medium, low) and why, in a sentence for staff.

    `path`, `name`, `marketplace`, `context` are the selector to propose: that of the rule it comes from where the rule
    was written for more than this one type, else the type's own.
    """

    category: FeeCategory
    confidence: str
    reason: str
    path: str
    name: str
    marketplace: str = ""
    context: str = ""
    source: str = ""


def suggest(*, company: Company, fee_types: Sequence[FeeType], user: User | None = None) -> dict[int, Suggestion]:
    """Suggestions by fee type id; types nobody can say anything about are left out.

    In this order: Nova's defaults, approved rules of the user's other companies, the same name elsewhere (other path,
    marketplace, context, or channel), the words of the name. Other companies' rules are read only where `user` is a
    member.
    """
    found: dict[int, Suggestion] = {}
    by_channel: dict[str, list[FeeType]] = defaultdict(list)
    for fee_type in fee_types:
        if fee_type.context != "remainder":  # the part of a statement nobody can explain is no fee
            by_channel[fee_type.channel].append(fee_type)
    if not by_channel:
        return found
    defaults = {code: default_rules(code) for code in by_channel if code in registry.adapters()}
    approved = FeeRule.objects.filter(status=FeeRule.Status.APPROVED).select_related("category", "company")
    approved = rules_near(approved, fee_types)
    own = list(approved.filter(company=company))
    others: list[FeeRule] = []
    if user is not None:  # an agency's companies mostly have the same rules: one of each is enough
        same = ("channel", "marketplace", "path", "name", "context", "category_id")
        members = Company.objects.for_user(user).exclude(pk=company.pk)
        others = list(approved.filter(company__in=members).order_by(*same, "company_id").distinct(*same))
    names = _by_name([*own, *others, *(rule for rules in defaults.values() for rule in rules)])
    for channel, types in by_channel.items():
        nova = RuleBook(defaults.get(channel, []))
        elsewhere = RuleBook(rule for rule in others if rule.channel == channel)
        for fee_type in types:
            suggestion = (
                _from_defaults(nova, fee_type)
                or _from_other_companies(elsewhere, fee_type)
                or _from_same_name(names, fee_type, company)
                or _from_words(fee_type)
            )
            if suggestion:
                found[fee_type.pk] = suggestion
    return found


def rules_near(rules: QuerySet[FeeRule], fee_types: Sequence[FeeType]) -> QuerySet[FeeRule]:
    """Of many rules those that may say something about the names of some fee types: the same name, or a pattern."""
    plain = Func(Lower("name"), Value(r"[\s_-]+"), Value(""), Value("g"), function="regexp_replace", output_field=CharField())
    names = {canonical(fee_type.name) for fee_type in fee_types}
    return rules.annotate(plain_name=plain).filter(Q(plain_name__in=names) | Q(name__contains="*"))


def _from_defaults(book: RuleBook, fee_type: FeeType) -> Suggestion | None:
    rule = next(iter(book.candidates(fee_type)), None)
    if rule is None:
        return None
    confidence = next((word for word in (HIGH, MEDIUM, LOW) if f"Confidence: {word}" in rule.reason), MEDIUM)
    pattern = "*" in rule.name
    reason = f"Nova's defaults know names like {rule.name}." if pattern else "Nova's defaults know this name."
    note = rule.reason.partition("; ")[2]
    return _of_rule(rule, confidence, f"{reason} {note[:1].upper()}{note[1:]}".strip(), rule.source)


def _from_other_companies(book: RuleBook, fee_type: FeeType) -> Suggestion | None:
    rule = next(iter(book.candidates(fee_type)), None)
    if rule is None:
        return None
    return _of_rule(
        rule, HIGH if "*" not in rule.name else MEDIUM, f"Approved at {rule.company}.", f"Rules of {rule.company}"[:80]
    )


def _from_same_name(names: dict[str, list[FeeRule]], fee_type: FeeType, company: Company) -> Suggestion | None:
    rules = names.get(canonical(fee_type.name), [])
    if not rules:
        return None
    votes = Counter(rule.category_id for rule in rules)
    # The most frequent category; of equals the one of this channel.
    winner = max(rules, key=lambda rule: (votes[rule.category_id], rule.channel == fee_type.channel, rule.precedence))
    unanimous = len(votes) == 1
    if winner.channel != fee_type.channel:
        where = f"on {_label(winner.channel)}"
    elif winner.company_id == company.pk:
        where = f"in another place ({winner.path})" if winner.path != fee_type.path else "elsewhere"
    else:
        where = f"under {winner.path}"
    sure = MEDIUM if unanimous and winner.channel == fee_type.channel else LOW
    return Suggestion(
        winner.category, sure, f"The same name is mapped {where}.", fee_type.path or "*", fee_type.name, "", fee_type.context
    )


def _from_words(fee_type: FeeType) -> Suggestion | None:
    words = words_of(fee_type.name)
    if not words:
        return None
    vocabulary = _vocabulary()
    scores: dict[int, float] = {}
    weights = {word: _weight(word) for word in words}
    # Words no category knows (a place, a brand) weigh little against those that tell.
    heard = {word for known in vocabulary.values() for word in known}
    whole = sum(weight if word in heard else weight / 3 for word, weight in weights.items())
    for category_id, known in vocabulary.items():
        shared = words & known.keys()
        if shared:
            scores[category_id] = sum(weights[word] * known[word] for word in shared) / whole
    if not scores:
        return None
    best = max(scores, key=lambda category_id: (scores[category_id], -category_id))
    if scores[best] < _ENOUGH:
        return None
    telling = sorted(words & vocabulary[best].keys(), key=lambda word: (-weights[word], word))[:3]
    category = FeeCategory.objects.get(pk=best)
    said = ", ".join(f"“{word}”" for word in telling)
    return Suggestion(
        category, LOW, f"Fees with {said} in their name usually are.", fee_type.path or "*", fee_type.name, "", fee_type.context
    )


def words_of(name: str) -> set[str]:
    """The telling words of a raw name, in small letters and singular: "FBAPerUnitFulfillmentFee" -> fba, unit, fulfillment."""
    found = {word.casefold() for word in _WORDS.findall(name.replace("_", " "))}
    plain = {word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word for word in found}
    return {word for word in plain if len(word) > 2} - _EMPTY


def _of_rule(rule: FeeRule, confidence: str, reason: str, source: str) -> Suggestion:
    return Suggestion(rule.category, confidence, reason, rule.path, rule.name, rule.marketplace, rule.context, source)


def _by_name(rules: Iterable[FeeRule]) -> dict[str, list[FeeRule]]:
    found: dict[str, list[FeeRule]] = defaultdict(list)
    for rule in rules:
        if "*" not in rule.name:
            found[canonical(rule.name)].append(rule)
    return found


@cache
def _vocabulary() -> dict[int, dict[str, float]]:
    """Per category the words of its name, its definition and the names that Nova's defaults map to it: the share of a
    word's uses that are here.
    """
    uses: dict[int, Counter[str]] = defaultdict(Counter)
    for channel in registry.adapters():
        for rule in default_rules(channel):
            uses[rule.category_id].update(words_of(rule.name))
    for category in FeeCategory.objects.exclude(code=UNMAPPED):
        uses[category.pk].update(words_of(f"{category.name} {category.definition}"))
    total: Counter[str] = sum(uses.values(), Counter())
    return {pk: {word: count / total[word] for word, count in known.items()} for pk, known in uses.items()}


@cache
def _weight(word: str) -> float:
    """Rare words tell more; unknown ones count like the rarest."""
    known = sum(1 for words in _vocabulary().values() if word in words)
    return 1 + log(len(_vocabulary()) / max(known, 1))


def _label(channel: str) -> str:
    adapter = registry.adapters().get(channel)
    return adapter.label if adapter else channel
