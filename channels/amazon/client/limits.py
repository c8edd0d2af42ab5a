"""Calls a second and calls at once that Amazon allows per app, seller and operation (a bucket that refills).

Source: Amazon's published models, where they and the documentation state one. A plan may be larger: the header
x-amzn-RateLimit-Limit says it (`Reply.rate`) and then counts instead; it is never sent with 401, 403 and 429.
"""

from __future__ import annotations

#: operation -> (calls a second, calls at once)
RATES: dict[str, tuple[float, int]] = {
    "searchOrders": (0.0056, 20),
    "getOrder": (0.5, 30),
    "confirmShipment": (2.0, 10),
    "listTransactions": (0.5, 10),
    "listPayouts": (0.5, 10),
    "listExpectedPayouts": (0.5, 10),
    "getReports": (0.0222, 10),
    "createReport": (0.0167, 15),
    "getReport": (2.0, 15),
    "getReportDocument": (0.0167, 15),
    "getInventorySummaries": (2.0, 2),
    "getListingsItem": (5.0, 10),
    "patchListingsItem": (5.0, 5),
    "searchCatalogItems": (2.0, 2),
    "getFulfillmentPreview": (2.0, 30),
    "createFulfillmentOrder": (2.0, 30),
    "getFulfillmentOrder": (2.0, 30),
    "cancelFulfillmentOrder": (2.0, 30),
    "getPackageTrackingDetails": (2.0, 30),
    "getMarketplaceParticipations": (0.016, 15),
}


def refill_seconds(operation: str) -> float | None:
    """How long the bucket of an operation takes for one more call; None when Amazon does not say."""
    rate = RATES.get(operation)
    return 1 / rate[0] if rate else None
