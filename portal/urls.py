"""Every address of the site. Each needs its row in portal.policies."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from portal.api import Studies
from portal.views import demo, download, health, home, pictures, provider, report, session, study, viewer
from sharing import releases
from studies.report_api import Receipt

urlpatterns = [
    path("", home.home, name="home"),
    path("", include("sharing.urls")),
    path("", include("accounts.urls")),
    path("", include("studies.urls")),
    path("", include("portal.dicomweb.urls")),
    path("", include("portal.ohif.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("studies/<uuid:study_id>/", study.study, name="study"),
    path("studies/<uuid:study_id>/view/", viewer.viewer, name="viewer"),
    path("studies/<uuid:study_id>/manifest/", viewer.manifest, name="manifest"),
    path("studies/<uuid:study_id>/thumbnail/", pictures.thumbnail, name="thumbnail"),
    path("studies/<uuid:study_id>/series/<uuid:series_id>/details/", viewer.details, name="details"),
    path("studies/<uuid:study_id>/series/<uuid:series_id>/pixels/<int:index>/", viewer.pixels, name="pixels"),
    path("studies/<uuid:study_id>/series/<uuid:series_id>/full/<int:index>/", viewer.full, name="full"),
    path(
        "studies/<uuid:study_id>/series/<uuid:series_id>/<str:size>/<int:index>/",
        pictures.picture,
        name="picture",
    ),
    path("studies/<uuid:study_id>/report/", report.report, name="report"),
    path("studies/<uuid:study_id>/report/<uuid:report_id>/", report.report_file, name="report_file"),
    path(
        "studies/<uuid:study_id>/report/<uuid:report_id>/pages/<int:number>/",
        report.report_page,
        name="report_page",
    ),
    path("studies/<uuid:study_id>/take-home/", download.take_home, name="take_home"),
    path("studies/<uuid:study_id>/download/", download.download, name="download"),
    path("provider/", provider.provider, name="provider"),
    path("desk/", include("portal.desk.urls")),
    path("desk/waiting/", include("portal.quarantine.urls")),
    path("session/extend/", session.extend_session, name="extend_session"),
    path("demo/mail/", demo.mail, name="demo_mail"),
    path("api/v1/studies/", Studies.as_view(), name="api_studies"),
    path(
        "api/v1/publications/<str:study_uid>/",
        Receipt.as_view(is_withdrawn=releases.is_withdrawn),
        name="api_publication",
    ),
    path("api/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
]

handler400 = "portal.errors.bad_request"
handler403 = "portal.errors.permission_denied"
handler404 = "portal.errors.page_not_found"
handler500 = "portal.errors.server_error"
