"""Addresses of the facility API."""

from __future__ import annotations

from django.urls import path

from studies.gateway_api import Gateways
from studies.report_api import Reports

urlpatterns = [
    path("api/v1/reports/", Reports.as_view(), name="api_reports"),
    path("api/v1/gateways/", Gateways.as_view(), name="api_gateways"),
]
