"""Reading from and writing to TikTok Shop.

`pages` hands over what a window of time holds, page by page, `one` a thing by its id; `stock.set_stock`, `shipping.ship`, `shipping.update_tracking`
and `subscriptions` write.
"""

from __future__ import annotations

from channels.tiktok.client.calls import Client
from channels.tiktok.client.reads import DAILY, KINDS, one, pages

__all__ = ["DAILY", "KINDS", "Client", "one", "pages"]
