from __future__ import annotations

from django.urls import path

from accounts import views

urlpatterns = [
    path("account/", views.overview, name="account_overview"),
    path("account/second-factor/", views.second_factor, name="second_factor"),
]
