"""Every channel ships proposals for its raw fee names, in the categories of Nova's chart."""

from __future__ import annotations

import pytest

from channels.records import CONTEXTS
from channels.registry import fee_proposals
from ledger.classify import canonical
from ledger.models import FeeCategory


def test_proposals_load_and_no_name_has_two(code):
    proposals = fee_proposals(code)
    assert proposals
    keys = [(canonical(row.path), canonical(row.name), row.context, row.marketplace.casefold()) for row in proposals]
    twice = {key for key in keys if keys.count(key) > 1}
    assert not twice
    for row in proposals:
        assert row.name and row.context in (*CONTEXTS, "*"), row
        assert row.confidence in ("high", "medium", "low"), row
        assert len(row.name) <= 200 and len(row.path) <= 200 and len(row.marketplace) <= 60, row


@pytest.mark.django_db
def test_categories_are_those_of_the_chart(code):
    known = set(FeeCategory.objects.values_list("code", flat=True))
    assert {row.category for row in fee_proposals(code)} <= known


def test_no_proposal_maps_everything(code):
    for row in fee_proposals(code):
        assert canonical(row.name).replace("*", "") or canonical(row.path).replace("*", ""), row
