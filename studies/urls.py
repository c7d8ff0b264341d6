"""Addresses of the facility API."""

from __future__ import annotations

from django.urls import path

from studies import api

urlpatterns = [
    path("dicom-web/studies", api.store, name="stow"),
    path("dicom-web/studies/<str:study_uid>", api.store, name="stow_study"),
]
