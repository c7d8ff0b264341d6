from __future__ import annotations

from django.urls import path

from sharing import api, machines
from sharing.views import (
    activity,
    asking,
    claim,
    invitation,
    lend,
    not_me,
    opening,
    pull,
    questions,
    shared,
    sharing,
    start,
)

urlpatterns = [
    path("claim/", claim.claim, name="claim"),
    path("claim/again/", claim.again, name="claim_again"),
    path("start/", start.start, name="start"),
    path("start/account/", start.account, name="start_account"),
    path("studies/<uuid:study_id>/lend/", lend.lend, name="lend"),
    path("studies/<uuid:study_id>/ask/", asking.ask_more, name="ask_more"),
    path("studies/<uuid:study_id>/pull/", pull.pull, name="pull"),
    path("studies/<uuid:study_id>/question/", questions.ask, name="ask_facility"),
    path("questions/", questions.questions, name="questions"),
    path("sharing/", sharing.sharing, name="sharing"),
    path("sharing/new/", lend.lend_new, name="lend_new"),
    path("sharing/stop-all/", sharing.revoke_all, name="revoke_all"),
    path("sharing/<uuid:grant_id>/stop/", sharing.revoke, name="revoke"),
    path("sharing/<uuid:grant_id>/more/", sharing.widen, name="widen"),
    path("sharing/<uuid:grant_id>/extend/", sharing.extend, name="extend"),
    path("activity/", activity.activity, name="activity"),
    path("activity/print/", activity.activity_pdf, name="activity_pdf"),
    path("activity/download/", activity.activity_csv, name="activity_csv"),
    path("s/", opening.share_code, name="share_code"),
    path("s/<str:slug>", opening.share_link, name="share_link"),
    path("s/<str:slug>/open", opening.share_open, name="share_open"),
    path("shared/", shared.shared, name="shared"),
    path("shared/who/", shared.introduce, name="introduce"),
    path("shared/done/", shared.share_done, name="share_done"),
    path("invitation/account/", invitation.invitation_account, name="invitation_account"),
    path("invitation/<uuid:grant_id>/", invitation.invitation, name="invitation"),
    path("not-me/", not_me.not_me, name="not_me"),
    path("api/v1/grants/", api.Grants.as_view(), name="api_grants"),
    path("api/v1/grants/<uuid:grant_id>/", api.OneGrant.as_view(), name="api_grant"),
    path("api/v1/pulls/", machines.Pulls.as_view(), name="api_pulls"),
    path("c/<str:capability>/receipt/", machines.Receipt.as_view(), name="capability_receipt"),
    path("api/v1/activity/", api.Activity.as_view(), name="api_activity"),
]
