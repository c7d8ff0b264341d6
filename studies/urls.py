"""Addresses of the facility API."""

from __future__ import annotations

from django.urls import path

from studies.gateway_api import Gateways
from studies.orders.api import Exams, Merges, Patients
from studies.report_api import Reports

urlpatterns = [
    path("api/v1/reports/", Reports.as_view(), name="api_reports"),
    path("api/v1/exams/", Exams.as_view(), name="api_exams"),
    path("api/v1/patients/", Patients.as_view(), name="api_patients"),
    path("api/v1/merges/", Merges.as_view(), name="api_merges"),
    path("api/v1/gateways/", Gateways.as_view(), name="api_gateways"),
]
