"""The roles of staff, as Django groups.

What somebody may do is in their roles, where they may do it in their memberships: a role reaches into no company of
which its holder is no member. Only superusers manage people and companies.

| role | sees | does |
|---|---|---|
| Viewer | P&L, fees, statements, documents, catalogue | saves views |
| Finance clerk | as the viewer | imports and withdraws documents, matches columns, proposes fee and scope rules, enters rates, keeps shops and SKUs |
| Approver | as the viewer | approves or returns what somebody else proposed; proposes, too |
| Operations | shops, documents, catalogue; not the money | keeps shops, SKUs and listings, imports and exports them |
| Creator manager | P&L, statements, catalogue | saves views |

Nova adds what a role lacks after every migration (`ensure_roles`), so that a new page is reachable at once; it takes
nothing away. Who needs another cut makes a group of their own.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission

VIEWER = "Viewer"
FINANCE_CLERK = "Finance clerk"
APPROVER = "Approver"
OPERATIONS = "Operations"
CREATOR_MANAGER = "Creator manager"


def _view(app: str, *models: str) -> set[str]:
    return {f"{app}.view_{model}" for model in models}


def _edit(app: str, *models: str) -> set[str]:
    return {f"{app}.{verb}_{model}" for model in models for verb in ("add", "change", "delete")}


_CATALOGUE = _view("channels", "shop") | _view("inventory", "sku", "listing", "listingcomponent")
_DOCUMENTS = (
    _view("channels", "document", "upload", "columnmatch", "personaldata")
    | _view("ledger", "ledgerintake", "withdrawal")
    | _view("nova", "exchangerate")
)
_MONEY = _view("ledger", "feecategory", "feetype", "feerule", "scoperule", "mapping", "voucher", "feeline") | _view(
    "ledger", "statement", "payout", "pnlday", "pnlmonth", "pnllistingmonth", "savedview"
)
_OWN_VIEWS = _edit("ledger", "savedview")
_PROPOSE = _edit("ledger", "feerule", "scoperule")  # drafts; what is proposed is guarded by the database
_SORT = _edit("inventory", "sku", "listingcomponent") | {"inventory.change_listing", "channels.add_shop", "channels.change_shop"}

ROLES: dict[str, set[str]] = {
    VIEWER: _CATALOGUE | _DOCUMENTS | _MONEY | _OWN_VIEWS,
    FINANCE_CLERK: _CATALOGUE
    | _DOCUMENTS
    | _MONEY
    | _OWN_VIEWS
    | _PROPOSE
    | _SORT
    | _edit("nova", "exchangerate")
    | {"ledger.import_documents", "ledger.withdraw_imports", "channels.add_columnmatch", "channels.delete_columnmatch"},
    APPROVER: _CATALOGUE | _DOCUMENTS | _MONEY | _OWN_VIEWS | _PROPOSE | {"ledger.approve_rules"},
    OPERATIONS: _CATALOGUE | _DOCUMENTS | _SORT,
    CREATOR_MANAGER: _CATALOGUE | _DOCUMENTS | _MONEY | _OWN_VIEWS,
}


def ensure_roles(*, app_label: str = "") -> int:
    """Make the groups and give them what they lack, of one app or of all. Returns how many permissions were added.

    Safe at any time: a permission that does not exist (yet) is left for the next run.
    """
    wanted = {label for labels in ROLES.values() for label in labels if not app_label or label.startswith(f"{app_label}.")}
    known = {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in Permission.objects.select_related("content_type").filter(
            codename__in={label.split(".", 1)[1] for label in wanted}
        )
    }
    added = 0
    for name, labels in ROLES.items():
        group, _created = Group.objects.get_or_create(name=name)
        have = set(group.permissions.values_list("pk", flat=True))
        missing = [known[label] for label in sorted(labels & wanted) if label in known and known[label].pk not in have]
        group.permissions.add(*missing)
        added += len(missing)
    return added


def after_migrate(*, app_config: Any, using: str = "default", **kwargs: Any) -> None:
    """Called once per app after every migration and flush, when its permissions exist."""
    if any(label.startswith(f"{app_config.label}.") for labels in ROLES.values() for label in labels):
        ensure_roles(app_label=app_config.label)
