"""The calls of TikTok Shop that Nova makes, each with its version, and until when that version is known to live.

`NOVA_TIKTOK_VERSIONS` (name of a call -> version, "202410") replaces versions without new code: TikTok retires them with a
few months' notice, and then answers code 36009009.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from django.conf import settings

from nova.http import Permanent


@dataclass(frozen=True)
class Endpoint:
    """One call. `path` has `{version}` and its own parameters; `ends` is the last day TikTok has announced for the version,
    None while there is none. Calls about a seller and not one of its shops refuse a shop's cipher (`of_shop` false)."""

    method: str
    path: str
    version: str
    of_shop: bool = True
    ends: date | None = None


ENDPOINTS: Mapping[str, Endpoint] = {
    "shops": Endpoint("GET", "/authorization/{version}/shops", "202309", of_shop=False),
    "active_shops": Endpoint("GET", "/seller/{version}/shops", "202309", of_shop=False),
    "webhooks": Endpoint("GET", "/event/{version}/webhooks", "202309"),
    "set_webhook": Endpoint("PUT", "/event/{version}/webhooks", "202309"),
    "delete_webhook": Endpoint("DELETE", "/event/{version}/webhooks", "202309"),
    "orders_search": Endpoint("POST", "/order/{version}/orders/search", "202309"),
    "orders": Endpoint("GET", "/order/{version}/orders", "202507"),
    "packages": Endpoint("POST", "/fulfillment/{version}/packages/search", "202309"),
    "package": Endpoint("GET", "/fulfillment/{version}/packages/{package_id}", "202309"),
    "tracking": Endpoint("GET", "/fulfillment/{version}/orders/{order_id}/tracking", "202309"),
    "ship_order": Endpoint("POST", "/fulfillment/{version}/orders/{order_id}/packages", "202309"),
    "ship_package": Endpoint("POST", "/fulfillment/{version}/packages/{package_id}/ship", "202309"),
    "update_order_tracking": Endpoint("POST", "/fulfillment/{version}/orders/{order_id}/shipping_info/update", "202309"),
    "update_package_tracking": Endpoint("POST", "/fulfillment/{version}/packages/{package_id}/shipping_info/update", "202309"),
    "warehouses": Endpoint("GET", "/logistics/{version}/warehouses", "202309"),
    "delivery_options": Endpoint("GET", "/logistics/{version}/warehouses/{warehouse_id}/delivery_options", "202309"),
    "shipping_providers": Endpoint(
        "GET", "/logistics/{version}/delivery_options/{delivery_option_id}/shipping_providers", "202309"
    ),
    "returns": Endpoint("POST", "/return_refund/{version}/returns/search", "202602"),
    "cancellations": Endpoint("POST", "/return_refund/{version}/cancellations/search", "202602"),
    "products": Endpoint("POST", "/product/{version}/products/search", "202502"),
    "product": Endpoint("GET", "/product/{version}/products/{product_id}", "202309"),
    "inventory": Endpoint("POST", "/product/{version}/inventory/search", "202309"),
    "set_inventory": Endpoint("POST", "/product/{version}/products/{product_id}/inventory/update", "202309"),
    "statements": Endpoint("GET", "/finance/{version}/statements", "202309"),
    # 202309 of the two transaction calls ended on 2025-12-31.
    "statement_transactions": Endpoint("GET", "/finance/{version}/statements/{statement_id}/statement_transactions", "202501"),
    "order_transactions": Endpoint("GET", "/finance/{version}/orders/{order_id}/statement_transactions", "202501"),
    "unsettled": Endpoint("GET", "/finance/{version}/orders/unsettled", "202507"),
    # 202309 of payments ended on 2026-08-15.
    "payments": Endpoint("GET", "/finance/{version}/payments", "202605"),
    "withdrawals": Endpoint("GET", "/finance/{version}/withdrawals", "202309"),
    # TikTok announced the end of the older affiliate calls for 2026-10-12; whether this one is among them is not certain.
    "affiliate_orders": Endpoint("POST", "/affiliate_seller/{version}/orders/search", "202410", ends=date(2026, 10, 12)),
    # Analytics below 202509 are deprecated.
    "video_performance": Endpoint("GET", "/analytics/{version}/shop_videos/performance", "202605"),
    "product_performance": Endpoint("GET", "/analytics/{version}/shop_products/performance", "202605"),
    "shop_performance": Endpoint("GET", "/analytics/{version}/shop/performance", "202609"),
}


def path_of(name: str, parameters: Mapping[str, str]) -> str:
    """The path of a call with its version and parameters.

    Raises:
        Permanent: a parameter is no id of TikTok's, or the version set for the call is no version or for no call.
    """
    endpoint = ENDPOINTS[name]
    if unknown := sorted(set(settings.NOVA_TIKTOK_VERSIONS) - set(ENDPOINTS)):
        raise Permanent(f"NOVA_TIKTOK_VERSIONS names calls that Nova does not make: {', '.join(unknown)}.")
    version = str(settings.NOVA_TIKTOK_VERSIONS.get(name, endpoint.version))
    if not (version.isascii() and version.isdigit() and len(version) == 6):
        raise Permanent(f"NOVA_TIKTOK_VERSIONS has {version!r} for {name}; a version is six digits.")
    for parameter, value in parameters.items():
        if not value or not value.isascii() or not value.replace("-", "").replace("_", "").isalnum():
            raise Permanent(f"{value!r} is no {parameter.replace('_', ' ')} of TikTok's.")
    return endpoint.path.format(version=version, **parameters)
