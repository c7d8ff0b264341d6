"""Addresses of OHIF: over everything that a viewer may see, and over one study; each with a base of DICOMweb.

OHIF reads the UIDs of a picture out of its address, behind the first `/studies/`: no base of its may hold another one.
"""

from __future__ import annotations

from django.urls import path

from portal.dicomweb.urls import base_for_pictures
from portal.ohif import views

urlpatterns = [
    path("viewer/", views.start, name="ohif"),
    path("viewer/ended/", views.ended, name="ohif_ended"),
    *base_for_pictures("viewer/dicom-web/", "ohif_"),
    *base_for_pictures("viewer/of/<uuid:study_id>/dicom-web/", "ohif_one_"),
    path("viewer/of/<uuid:study_id>/<path:place>", views.shell, name="ohif_of_one"),
    path("viewer/<path:place>", views.shell, name="ohif_shell"),
]
