from __future__ import annotations

from django.urls import path

from portal.quarantine import views

urlpatterns = [
    path("", views.waiting, name="desk_waiting"),
    path("<int:held_id>/", views.held, name="desk_held"),
    path("<int:held_id>/new/", views.new_patient, name="desk_held_new"),
    path("<int:held_id>/take-in/<uuid:patient_id>/", views.take_in, name="desk_take_in"),
    path("<int:held_id>/leave-out/", views.leave_out, name="desk_leave_out"),
]
