"""Addresses of Nova."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from nova import dashboard, sidebar

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/search/", sidebar.search_page),
    path("admin/", admin.site.urls),
    path("portfolio/", dashboard.portfolio, name="portfolio"),
    path("c/<str:code>/", dashboard.company_home, name="company"),
    path("c/<str:code>/", include("ledger.urls")),
    path("api/v1/", include(("ledger.api", "ledger_api"))),
]

handler400 = "nova.errors.bad_request"
handler403 = "nova.errors.forbidden"
handler404 = "nova.errors.not_found"
handler500 = "nova.errors.server_error"
