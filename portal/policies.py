"""Who may knock at which door: one table for every route, third-party routes included.

A route without a row, or a row without a route, stops the start (portal.E001, portal.E002). `security.DefaultDeny`
enforces the table before any view runs; what a signed-in person may see is `sharing.access`'s affair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from django.urls import URLPattern, URLResolver, get_resolver

_FOR_PROGRAMS = re.compile(r"/(api|dicom-web|c|viewer/(of/[0-9a-f-]{36}/)?dicom-web|studies/[0-9a-f-]{36}/dicom-web)/")

DICOMWEB = (
    "capabilities",
    *("search_all_series", "search_all_instances", "search_series", "search_study_instances", "search_instances"),
    *("series", "instance", "study_metadata", "series_metadata", "instance_metadata", "frames", "bulk_data"),
    *(
        "study_rendered",
        "series_rendered",
        "rendered",
        "frame_rendered",
        "study_thumbnail",
        "series_thumbnail",
        "instance_thumbnail",
        "frame_thumbnail",
    ),
)
"""What either base of DICOMweb has: see portal.dicomweb.urls."""


def is_for_programs(path: str) -> bool:
    """Whether programs ask there: a refusal is JSON, and nobody is led to a page."""
    return bool(_FOR_PROGRAMS.match(path))


class Policy(Enum):
    """What a request must bring before a view sees it."""

    PUBLIC = "anybody"
    PERSON = "a session"
    VIEWER = "a session, or a share session"
    STAFF = "a session of a facility's staff; for anybody else the page does not exist"
    KEY = "a facility key, checked by the view"
    KEY_OR_VIEWER = "a facility key to publish, a session or a share session to read: checked by the view"
    CAPABILITY = "a capability in the address, checked by the view"
    DEMO = "anybody, on a demo site only"


POLICIES: dict[str, Policy] = {
    # the site
    "home": Policy.PUBLIC,
    "study": Policy.VIEWER,
    "viewer": Policy.VIEWER,
    "manifest": Policy.VIEWER,
    "thumbnail": Policy.VIEWER,
    "picture": Policy.VIEWER,
    "details": Policy.VIEWER,
    "pixels": Policy.VIEWER,
    "full": Policy.VIEWER,
    "report": Policy.VIEWER,
    "report_file": Policy.VIEWER,
    "report_page": Policy.VIEWER,
    "take_home": Policy.VIEWER,
    "download": Policy.VIEWER,
    "pull": Policy.VIEWER,
    "ask_more": Policy.VIEWER,
    "claim": Policy.PERSON,
    "lend": Policy.VIEWER,
    "lend_new": Policy.PERSON,
    "sharing": Policy.PERSON,
    "revoke": Policy.PERSON,
    "revoke_all": Policy.PERSON,
    "extend": Policy.PERSON,
    "widen": Policy.PERSON,
    "activity": Policy.PERSON,
    "activity_csv": Policy.PERSON,
    "activity_pdf": Policy.PERSON,
    "share_code": Policy.PUBLIC,
    "share_link": Policy.PUBLIC,
    "share_open": Policy.PUBLIC,
    "shared": Policy.VIEWER,
    "introduce": Policy.VIEWER,
    "share_done": Policy.PUBLIC,
    "invitation": Policy.PUBLIC,
    "start": Policy.PUBLIC,
    "start_account": Policy.PUBLIC,  # once a code was proved in this browser
    "claim_again": Policy.PUBLIC,  # the same
    "consents": Policy.PERSON,
    "withdraw_consent": Policy.PERSON,
    "ask_facility": Policy.PERSON,
    "questions": Policy.PERSON,
    "not_me": Policy.PUBLIC,  # with the token of a letter
    "invitation_account": Policy.PUBLIC,
    "provider": Policy.PERSON,
    "desk": Policy.STAFF,
    "desk_facility": Policy.STAFF,
    "desk_register": Policy.STAFF,
    "desk_patient": Policy.STAFF,
    "desk_details": Policy.STAFF,
    "desk_contact": Policy.STAFF,
    "desk_tell_again": Policy.STAFF,
    "desk_undo": Policy.STAFF,
    "desk_today": Policy.STAFF,
    "desk_consent": Policy.STAFF,
    "desk_reaching": Policy.STAFF,
    "desk_reaching_csv": Policy.STAFF,
    "desk_turnaround_csv": Policy.STAFF,
    "desk_ask_gateway": Policy.STAFF,
    "desk_opening": Policy.STAFF,
    "desk_rule_end": Policy.STAFF,
    "desk_rule_first": Policy.STAFF,
    "desk_questions": Policy.STAFF,
    "desk_question": Policy.STAFF,
    "desk_code": Policy.STAFF,
    "desk_release_all": Policy.STAFF,
    "desk_release": Policy.STAFF,
    "desk_withdraw": Policy.STAFF,
    "desk_gateways": Policy.STAFF,
    "desk_part": Policy.STAFF,
    "desk_waiting": Policy.STAFF,
    "desk_held": Policy.STAFF,
    "desk_held_new": Policy.STAFF,
    "desk_take_in": Policy.STAFF,
    "desk_leave_out": Policy.STAFF,
    "account_overview": Policy.PERSON,
    "second_factor": Policy.PERSON,
    "extend_session": Policy.PERSON,
    "demo_mail": Policy.DEMO,
    # health
    "livez": Policy.PUBLIC,
    "readyz": Policy.PUBLIC,
    # machines
    "stow": Policy.KEY_OR_VIEWER,
    "stow_study": Policy.KEY_OR_VIEWER,
    "one_search_studies": Policy.VIEWER,
    "one_study": Policy.VIEWER,
    **{f"{base}_{name}": Policy.VIEWER for base in ("dicomweb", "one", "ohif", "ohif_one") for name in DICOMWEB},
    **{f"capability_{name}": Policy.CAPABILITY for name in (*DICOMWEB, "search_studies", "study")},
    **{f"{base}_{name}": Policy.VIEWER for base in ("ohif", "ohif_one") for name in ("search_studies", "study")},
    "ohif": Policy.VIEWER,
    "ohif_ended": Policy.PUBLIC,
    "ohif_shell": Policy.VIEWER,
    "ohif_of_one": Policy.VIEWER,
    "api_reports": Policy.KEY,
    "api_publication": Policy.KEY,
    "api_gateways": Policy.KEY,
    "api_exams": Policy.KEY,
    "api_patients": Policy.KEY,
    "api_merges": Policy.KEY,
    "api_studies": Policy.PERSON,
    "api_grants": Policy.PERSON,
    "api_grant": Policy.PERSON,
    "api_activity": Policy.PERSON,
    "api_pulls": Policy.PUBLIC,  # with a code and its passcode
    "capability_receipt": Policy.CAPABILITY,
    "api_schema": Policy.PUBLIC,
    # allauth
    "account_signup": Policy.PUBLIC,
    "account_login": Policy.PUBLIC,
    "account_logout": Policy.PERSON,
    "account_reauthenticate": Policy.PERSON,
    "account_change_password": Policy.PERSON,
    "account_set_password": Policy.PERSON,
    "account_inactive": Policy.PUBLIC,
    "account_email": Policy.PERSON,
    "account_email_verification_sent": Policy.PUBLIC,
    "account_confirm_login_code": Policy.PUBLIC,
    "account_reset_password": Policy.PUBLIC,
    "account_reset_password_done": Policy.PUBLIC,
    "account_reset_password_from_key": Policy.PUBLIC,
    "account_reset_password_from_key_done": Policy.PUBLIC,
    # allauth's second factor
    "mfa_index": Policy.PERSON,
    "mfa_authenticate": Policy.PUBLIC,  # between password and session; the view knows who is on her way
    "mfa_reauthenticate": Policy.PERSON,
    "mfa_activate_totp": Policy.PERSON,
    "mfa_deactivate_totp": Policy.PERSON,
    "mfa_view_recovery_codes": Policy.PERSON,
    "mfa_generate_recovery_codes": Policy.PERSON,
    "mfa_download_recovery_codes": Policy.PERSON,
    "mfa_list_webauthn": Policy.PERSON,
    "mfa_add_webauthn": Policy.PERSON,
    "mfa_reauthenticate_webauthn": Policy.PERSON,
    "mfa_remove_webauthn": Policy.PERSON,
    "mfa_edit_webauthn": Policy.PERSON,
    "mfa_login_webauthn": Policy.PUBLIC,
}

# What staff and providers reach before they have a second factor: the way to one, and the way out.
BEFORE_SECOND_FACTOR = frozenset(
    {
        "second_factor",
        "mfa_index",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "account_reauthenticate",
        "account_logout",
        "extend_session",
        "livez",
        "readyz",
        # a facility key acts for itself, whoever's cookie comes along
        *(name for name, policy in POLICIES.items() if policy is Policy.KEY),
    }
)


def routes(resolver: URLResolver | None = None, prefix: str = "", namespace: str = "") -> Iterator[tuple[str, str]]:
    """Every route of the site as (name, pattern): names carry their namespace, the nameless their pattern."""
    for entry in (resolver or get_resolver()).url_patterns:
        pattern = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from routes(entry, pattern, inner)
        elif isinstance(entry, URLPattern):
            yield f"{namespace}{entry.name}" if entry.name else pattern, pattern


def policy_for(route_name: str | None) -> Policy:
    """The policy of a route; an unknown one asks who is there, so that it looks like any other page."""
    return POLICIES.get(route_name or "", Policy.VIEWER)
