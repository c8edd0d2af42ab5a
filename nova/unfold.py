"""How the admin looks: names, colours, styles. What the sidebar holds is in `nova/sidebar.py`.

Settings import this module, so it imports nothing of Django's that needs them; callables are named by text.
"""

from __future__ import annotations

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Nova",
    "SITE_HEADER": "Nova",
    "SITE_SUBHEADER": "nova.sidebar.company_name",
    "SITE_DROPDOWN": "nova.sidebar.company_switcher",
    "SITE_SYMBOL": "finance_mode",
    "SITE_FAVICONS": [{"rel": "icon", "href": "nova.sidebar.favicon", "type": "image/svg+xml"}],
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "nova.dashboard.home",
    "STYLES": ["nova.sidebar.style_sheet"],
    "SCRIPTS": ["nova.sidebar.script"],
    "COLORS": {
        # A calm teal that stays apart from the red and green of figures; AA on white from 600 up, on dark from 500 down.
        "primary": {
            "50": "oklch(98.4% .014 180.72)",
            "100": "oklch(95.3% .051 180.801)",
            "200": "oklch(91% .096 180.426)",
            "300": "oklch(85.5% .138 181.071)",
            "400": "oklch(77.7% .152 181.912)",
            "500": "oklch(70.4% .14 182.503)",
            "600": "oklch(51.1% .096 186.391)",
            "700": "oklch(43.7% .078 188.216)",
            "800": "oklch(38.6% .063 188.416)",
            "900": "oklch(32.6% .053 188.9)",
            "950": "oklch(27.7% .046 192.524)",
        },
        "font": {
            "subtle-light": "var(--color-base-600)",
            "subtle-dark": "var(--color-base-400)",
            "default-light": "var(--color-base-700)",
            "default-dark": "var(--color-base-300)",
            "important-light": "var(--color-base-900)",
            "important-dark": "var(--color-base-100)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "nova.sidebar.navigation",
    },
    "COMMAND": {
        "search_models": "nova.sidebar.searched_models",
        "search_callback": "nova.sidebar.search",
        "show_history": False,
    },
}
