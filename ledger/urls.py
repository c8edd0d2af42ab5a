"""Addresses of the ledger's own pages; `nova/urls.py` includes them at `c/<company code>/`."""

from __future__ import annotations

from ledger.pages import channel, lines, order, pnl, search

app_name = "ledger"
urlpatterns = [
    *pnl.urlpatterns,
    *lines.urlpatterns,
    *order.urlpatterns,
    *channel.urlpatterns,
    *search.urlpatterns,
]
