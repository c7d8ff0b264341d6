from __future__ import annotations

from django.urls import path

from sharing import views

urlpatterns = [
    path("claim/", views.claim, name="claim"),
]
