"""Addresses of the facility API."""

from __future__ import annotations

from django.urls import path

from studies import api
from studies.report_api import Reports

urlpatterns = [
    path("dicom-web/studies", api.store, name="stow"),
    path("dicom-web/studies/<str:study_uid>", api.store, name="stow_study"),
    path("api/v1/reports/", Reports.as_view(), name="api_reports"),
]
