"""Addresses of the ledger's own pages; `nova/urls.py` includes them at `c/<company code>/`."""

from __future__ import annotations

from ledger.pages import channel, imports, lines, order, pnl, rules, search, statements

app_name = "ledger"
urlpatterns = [
    *pnl.urlpatterns,
    *lines.urlpatterns,
    *order.urlpatterns,
    *channel.urlpatterns,
    *search.urlpatterns,
    *rules.urlpatterns,
    *imports.urlpatterns,
    *statements.urlpatterns,
]
