from __future__ import annotations

from django.urls import path

from portal.desk import consent, opening, questions, reaching, today, views

urlpatterns = [
    path("", views.search, name="desk"),
    path("facility/", views.contact, name="desk_facility"),
    path("gateways/", views.gateways_page, name="desk_gateways"),
    path("patients/new/", views.register, name="desk_register"),
    path("patients/<uuid:patient_id>/", views.patient, name="desk_patient"),
    path("patients/<uuid:patient_id>/details/", views.details, name="desk_details"),
    path("patients/<uuid:patient_id>/code/", views.hand_out, name="desk_code"),
    path("patients/<uuid:patient_id>/release/", views.release_all, name="desk_release_all"),
    path("patients/<uuid:patient_id>/contact/", questions.on_file, name="desk_contact"),
    path("patients/<uuid:patient_id>/contact/again/", questions.tell_again, name="desk_tell_again"),
    path("patients/<uuid:patient_id>/undo/", questions.undo_claim, name="desk_undo"),
    path("merges/<uuid:merge_id>/part/", views.part, name="desk_part"),
    path("opening/", opening.opening, name="desk_opening"),
    path("opening/<uuid:rule_id>/end/", opening.end_rule, name="desk_rule_end"),
    path("opening/<uuid:rule_id>/first/", opening.put_first, name="desk_rule_first"),
    path("consent/", consent.consent, name="desk_consent"),
    path("reaching/", reaching.reaching, name="desk_reaching"),
    path("reaching/download/", reaching.reaching_csv, name="desk_reaching_csv"),
    path("turnaround/download/", reaching.turnaround_csv, name="desk_turnaround_csv"),
    path("gateways/<int:gateway_id>/ask/", views.ask_gateway, name="desk_ask_gateway"),
    path("today/", today.today_page, name="desk_today"),
    path("questions/", questions.questions, name="desk_questions"),
    path("questions/<uuid:case_id>/", questions.question, name="desk_question"),
    path("studies/<uuid:study_id>/release/", views.release, name="desk_release"),
    path("studies/<uuid:study_id>/withdraw/", views.withdraw, name="desk_withdraw"),
]
