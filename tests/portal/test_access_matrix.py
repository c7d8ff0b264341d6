"""Who gets what is one table: every route of the site, for every kind of person. A route without a row fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from portal.policies import DICOMWEB, routes
from sharing.models import Grant
from tests.cast import Cast
from tests.portal.stage import NOBODYS, OUTSIDERS, PERSONAS, Ids, Stage, address, body_of, seen, set_up

pytestmark = pytest.mark.django_db

# To Dr Lee Maria lends pictures and report of one study, to Dr Kim she did, Dr May was never lent anything. Eve is a
# stranger. Tom works at the facility that published Maria's study, Ana at another. A guest opened a link to pictures
# and report of that study, the stopped one opened another that Maria took back. Each asks for Maria's things.

DICOMWEB_BASES = ("dicomweb", "one", "ohif", "ohif_one")

#   route                             nobody maria  lee  kim  may  eve  tom  ana guest stopped
MATRIX: dict[str, tuple[int, ...]] = {
    "home":                           (200, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "study":                          (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "viewer":                         (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "manifest":                       (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "thumbnail":                      (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "picture":                        (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "details":                        (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "pixels":                         (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "full":                           (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "report":                         (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "report_file":                    (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "report_page":                    (302, 200, 200, 404, 404, 404, 200, 404, 200, 404),
    "take_home":                      (302, 200, 403, 404, 404, 404, 403, 404, 403, 404),
    "download":                       (302, 200, 403, 404, 404, 404, 403, 404, 403, 404),
    "pull":                           (302, 403, 403, 404, 404, 404, 403, 404, 403, 404),
    "ask_more":                       (302, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    "claim_again":                  (405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    "start":                        (200, 302, 302, 302, 302, 302, 302, 302, 200, 200),
    "start_account":                (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "claim":                          (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "lend":                           (302, 200, 403, 404, 404, 404, 403, 404, 403, 404),
    "lend_new":                       (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "sharing":                        (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "revoke":                         (302, 405, 405, 405, 405, 405, 405, 405, 302, 302),
    "revoke_all":                     (302, 405, 405, 405, 405, 405, 405, 405, 302, 302),
    "widen":                          (302, 200, 404, 404, 404, 404, 404, 404, 302, 302),
    "extend":                         (302, 405, 405, 405, 405, 405, 405, 405, 302, 302),
    "activity":                       (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "activity_csv":                   (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "activity_pdf":                   (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "not_me":                         (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "invitation":                     (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "invitation_account":             (404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    "share_code":                     (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "share_link":                     (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "share_open":                     (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "shared":                         (302, 404, 404, 404, 404, 404, 404, 404, 200, 200),
    "introduce":                      (302, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    "share_done":                     (405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    "provider":                       (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "desk":                          (302, 404, 404, 404, 404, 404, 200, 200, 302, 302),
    "desk_facility":                 (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "desk_register":                 (302, 404, 404, 404, 404, 404, 200, 200, 302, 302),
    "desk_patient":                  (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "ask_facility":                 (302, 200, 403, 404, 404, 404, 403, 404, 302, 302),
    "questions":                    (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "desk_contact":                 (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "desk_tell_again":              (302, 404, 404, 404, 404, 404, 405, 405, 302, 302),
    "desk_undo":                    (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "desk_questions":               (302, 404, 404, 404, 404, 404, 200, 200, 302, 302),
    "desk_question":                (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "desk_opening":                 (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "desk_rule_end":                (302, 404, 404, 404, 404, 404, 405, 405, 302, 302),
    "desk_part":                    (302, 404, 404, 404, 404, 404, 405, 405, 302, 302),
    "desk_rule_first":              (302, 404, 404, 404, 404, 404, 405, 405, 302, 302),
    "desk_today":                   (302, 404, 404, 404, 404, 404, 200, 200, 302, 302),
    "desk_consent":                 (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "consents":                     (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "withdraw_consent":             (302, 405, 405, 405, 405, 405, 405, 405, 302, 302),
    "desk_reaching":                (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "desk_reaching_csv":            (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "desk_turnaround_csv":          (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "desk_ask_gateway":             (302, 404, 404, 404, 404, 404, 405, 405, 302, 302),
    "desk_details":                  (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "desk_code":                     (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "desk_release_all":              (302, 404, 404, 404, 404, 404, 405, 405, 302, 302),
    "desk_release":                  (302, 404, 404, 404, 404, 404, 405, 405, 302, 302),
    "desk_withdraw":                 (302, 404, 404, 404, 404, 404, 405, 405, 302, 302),
    "desk_gateways":                 (302, 404, 404, 404, 404, 404, 200, 200, 302, 302),
    "desk_waiting":                  (302, 404, 404, 404, 404, 404, 200, 200, 302, 302),
    "desk_held":                     (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "desk_held_new":                 (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "desk_take_in":                  (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "desk_leave_out":                (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "account_overview":               (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "extend_session":                 (302, 405, 405, 405, 405, 405, 405, 405, 302, 302),
    "demo_mail":                      (302, 404, 404, 404, 404, 404, 404, 404, 302, 302),
    "livez":                          (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "readyz":                         (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    # A search finds nothing where there is nothing for who asks; files are for those who may take them home.
    "stow":                           (401, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "stow_study":                     (401, 200, 403, 404, 404, 404, 403, 404, 403, 404),
    "one_search_studies":             (401, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "one_study":                      (401, 200, 403, 404, 404, 404, 403, 404, 403, 404),
    **{f"{base}_{name}":              (401, 200, 200, 404, 404, 404, 200, 404, 200, 404)
       for base in DICOMWEB_BASES for name in DICOMWEB},
    **{f"{base}_{name}":              (401, 200, 403, 404, 404, 404, 403, 404, 403, 404)
       for base in DICOMWEB_BASES for name in ("series", "instance")},
    **{f"{base}_{name}":              (401, 200, 200, 200, 200, 200, 200, 200, 200, 200)
       for base in DICOMWEB_BASES for name in ("search_all_series", "search_all_instances")},
    **{f"{base}_capabilities":        (401, 200, 200, 200, 200, 200, 200, 200, 200, 200)
       for base in ("dicomweb", "ohif")},
    **{f"{base}_study":               (401, 200, 403, 404, 404, 404, 403, 404, 403, 404)
       for base in ("ohif", "ohif_one")},
    **{f"{base}_search_studies":      (401, 200, 200, 200, 200, 200, 200, 200, 200, 200)
       for base in ("ohif", "ohif_one")},
    **{f"capability_{name}":          (404, 404, 404, 404, 404, 404, 404, 404, 404, 404)  # for it was stopped
       for name in (*DICOMWEB, "study", "search_studies")},
    "ohif":                           (302, 404, 404, 404, 404, 404, 404, 404, 404, 404),  # without the UID of a study
    "ohif_shell":                     (302, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    "ohif_of_one":                    (302, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    "ohif_ended":                     (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "api_reports":                    (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "api_gateways":                   (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "api_merges":                     (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "api_patients":                   (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "api_exams":                      (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "api_publication":                (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "api_studies":                    (401, 200, 200, 200, 200, 200, 200, 200, 401, 401),
    "api_grants":                     (401, 200, 200, 200, 200, 200, 200, 200, 401, 401),
    "api_grant":                      (401, 405, 405, 405, 405, 405, 405, 405, 401, 401),
    "api_activity":                   (401, 200, 200, 200, 200, 200, 200, 200, 401, 401),
    "api_pulls":                      (405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    "capability_receipt":             (405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    "api_schema":                     (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "account_signup":                 (200, 302, 302, 302, 302, 302, 302, 302, 200, 200),
    "account_login":                  (200, 302, 302, 302, 302, 302, 302, 302, 200, 200),
    "account_logout":                 (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "account_reauthenticate":         (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "account_change_password":        (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "account_set_password":           (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "account_inactive":               (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "account_email":                  (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "account_email_verification_sent":(302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "account_confirm_login_code":     (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "account_reset_password":         (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "account_reset_password_done":    (200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "account_reset_password_from_key":(200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    "account_reset_password_from_key_done":(200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
    # Tom, Ana and the physicians have an authenticator app, as they must.
    "second_factor":                  (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_index":                      (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "mfa_authenticate":               (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_reauthenticate":             (302, 302, 200, 200, 200, 302, 200, 200, 302, 302),
    "mfa_reauthenticate_webauthn":    (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_activate_totp":              (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_deactivate_totp":            (302, 404, 302, 302, 302, 404, 302, 302, 302, 302),
    "mfa_view_recovery_codes":        (302, 404, 404, 404, 404, 404, 404, 404, 302, 302),
    "mfa_download_recovery_codes":    (302, 404, 404, 404, 404, 404, 404, 404, 302, 302),
    "mfa_generate_recovery_codes":    (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_list_webauthn":              (302, 200, 200, 200, 200, 200, 200, 200, 302, 302),
    "mfa_add_webauthn":               (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_remove_webauthn":            (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_edit_webauthn":              (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "mfa_login_webauthn":             (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
}  # fmt: skip

# What the routes that do something answer to a whole form about Maria's things (see stage.forms).
#   route                             nobody maria  lee  kim  may  eve  tom  ana guest stopped
DEEDS: dict[str, tuple[int, ...]] = {
    "pull":                           (302, 403, 403, 404, 404, 404, 403, 404, 403, 404),
    "ask_more":                       (302, 403, 303, 404, 404, 404, 403, 404, 303, 404),
    "claim_again":                  (404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    "start":                        (422, 302, 302, 302, 302, 302, 302, 302, 422, 422),
    "start_account":                (302, 302, 302, 302, 302, 302, 302, 302, 302, 302),
    "claim":                          (302, 422, 422, 422, 422, 422, 422, 422, 302, 302),
    "lend":                           (302, 303, 403, 404, 404, 404, 403, 404, 403, 404),
    "lend_new":                       (302, 303, 422, 422, 422, 422, 422, 422, 302, 302),
    "widen":                          (302, 422, 404, 404, 404, 404, 404, 404, 302, 302),  # is in it already
    "extend":                         (302, 303, 404, 404, 404, 404, 404, 404, 302, 302),
    "revoke":                         (302, 303, 404, 404, 404, 404, 404, 404, 302, 302),
    "revoke_all":                     (302, 303, 303, 303, 303, 303, 303, 303, 302, 302),
    "not_me":                         (404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    "invitation":                     (404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    "invitation_account":             (404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    "desk":                           (302, 404, 404, 404, 404, 404, 200, 200, 302, 302),
    "desk_facility":                  (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "desk_register":                  (302, 404, 404, 404, 404, 404, 303, 303, 302, 302),
    "ask_facility":                 (302, 303, 403, 404, 404, 404, 403, 404, 302, 302),
    "desk_contact":                 (302, 404, 404, 404, 404, 404, 303, 404, 302, 302),
    "desk_tell_again":              (302, 404, 404, 404, 404, 404, 303, 404, 302, 302),
    "desk_undo":                    (302, 404, 404, 404, 404, 404, 303, 404, 302, 302),
    "desk_question":                (302, 404, 404, 404, 404, 404, 303, 404, 302, 302),
    "desk_opening":                 (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "desk_rule_end":                (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "desk_part":                    (302, 404, 404, 404, 404, 404, 404, 404, 302, 302),
    "desk_ask_gateway":             (302, 404, 404, 404, 404, 404, 404, 404, 302, 302),
    "desk_rule_first":              (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "desk_today":                   (302, 404, 404, 404, 404, 404, 200, 200, 302, 302),
    "desk_consent":                 (302, 404, 404, 404, 404, 404, 403, 403, 302, 302),
    "withdraw_consent":             (302, 404, 404, 404, 404, 404, 404, 404, 302, 302),
    "desk_details":                   (302, 404, 404, 404, 404, 404, 303, 404, 302, 302),
    "desk_code":                      (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "desk_release_all":               (302, 404, 404, 404, 404, 404, 303, 404, 302, 302),
    "desk_release":                   (302, 404, 404, 404, 404, 404, 303, 404, 302, 302),
    "desk_withdraw":                  (302, 404, 404, 404, 404, 404, 303, 404, 302, 302),
    "desk_held":                      (302, 404, 404, 404, 404, 404, 200, 404, 302, 302),
    "desk_held_new":                  (302, 404, 404, 404, 404, 404, 303, 404, 302, 302),
    "desk_take_in":                   (302, 404, 404, 404, 404, 404, 303, 404, 302, 302),
    "desk_leave_out":                 (302, 404, 404, 404, 404, 404, 409, 404, 302, 302),  # taken in by then
    "extend_session":                 (302, 204, 204, 204, 204, 204, 204, 204, 302, 302),
    "stow":                           (401, 403, 403, 403, 403, 403, 403, 403, 403, 403),
    "stow_study":                     (401, 403, 403, 403, 403, 403, 403, 403, 403, 403),
    "api_reports":                    (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "api_exams":                      (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "api_patients":                   (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "api_merges":                     (401, 401, 401, 401, 401, 401, 401, 401, 401, 401),
    "api_pulls":                      (404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    "capability_receipt":             (404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    "api_grants":                     (401, 201, 403, 404, 404, 404, 403, 404, 401, 401),
    "api_grant":                      (401, 204, 404, 404, 404, 404, 404, 404, 401, 401),
}  # fmt: skip

BY_QUERY = {"activity", "activity_csv", "activity_pdf", "api_activity"}  # routes that take a study's id as ?study=
BY_FORM = {"lend_new", "api_grants"}  # and those that take it in a form


@pytest.fixture
def stage(cast: Cast, tmp_path: Path, settings: Settings) -> Stage:
    """Maria's study has pictures and a PDF report; two physicians were lent it, of whom one has it still."""
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return set_up(cast)


def test_every_route_has_a_row() -> None:
    assert {name for name, _ in routes()} == set(MATRIX)


def test_everybody_gets_what_the_table_says(stage: Stage) -> None:
    got = {name: tuple(stage.get(persona, pattern).status_code for persona in PERSONAS) for name, pattern in routes()}
    assert {name: row for name, row in got.items() if row != MATRIX.get(name)} == {}


def test_everybody_does_what_the_table_says_and_others_change_nothing(stage: Stage) -> None:
    before, patterns = stage.belongings(), dict(routes())
    got: dict[str, dict[str, int]] = {name: {} for name in DEEDS}
    for persona in (*OUTSIDERS, "lee", "guest", "maria", "tom"):
        if persona == "maria":
            Grant.objects.update(more_asked_at=None)  # whoever borrows may ask, and that is all
        if persona in ("lee", "maria"):
            assert stage.belongings() == before
        for name, done in got.items():
            done[persona] = stage.do(persona, name, patterns[name]).status_code
    told = {name: tuple(done[persona] for persona in PERSONAS) for name, done in got.items()}
    assert {name: row for name, row in told.items() if row != DEEDS[name]} == {}


@pytest.mark.parametrize("method", ["head", "put", "patch", "delete"])
def test_no_other_method_opens_what_get_does_not(stage: Stage, method: str) -> None:
    opened = []
    for name, pattern in routes():
        for persona in OUTSIDERS:
            status = stage.get(persona, pattern, method=method).status_code
            if status not in (302, 404, 405, MATRIX[name][PERSONAS.index(persona)]):
                opened.append((name, persona, status))
    assert opened == []


@pytest.mark.parametrize("persona", OUTSIDERS)
def test_an_outsider_cannot_tell_marias_things_from_nothing(stage: Stage, persona: str) -> None:
    """Not by a page, a form or a header: but for the ids that were asked for, every byte is the same."""
    asks: list[tuple[str, Callable[[Ids], Any]]] = []
    for name, route in routes():
        pattern = f"{route}?study=<uuid:study_id>" if name in BY_QUERY else route
        if "<" in pattern:
            asks.append((name, partial(stage.get, persona, pattern)))
        if name in DEEDS and ("<" in pattern or name in BY_FORM):
            asks.append((f"{name} by form", partial(stage.do, persona, name, pattern)))
    told = [what for what, ask in asks if seen(ask(stage.hers), stage.hers) != seen(ask(NOBODYS), NOBODYS)]
    assert len(asks) > 30
    assert told == []


def test_words_of_one_patient_reach_nobody_else(stage: Stage) -> None:
    """Canaries: what stands in Maria's things appears in no answer to anybody who may not see it."""
    everything = [*stage.words_of_the_study, *stage.words_of_lending, *stage.words_of_another_study]
    kept_from = dict.fromkeys(OUTSIDERS, everything)
    kept_from |= {"lee": stage.words_of_another_study, "tom": stage.words_of_lending}
    kept_from |= {"guest": [*stage.words_of_another_study, *stage.words_of_lending]}
    told = []
    for name, pattern in routes():
        for persona, words in kept_from.items():
            body = body_of(stage.get(persona, pattern))
            if name in DEEDS and persona in OUTSIDERS:
                body += body_of(stage.do(persona, name, pattern))
            told += [(name, persona, word) for word in words if word in body.replace(address(pattern, stage.hers), "")]
    assert told == []
    hers = "".join(body_of(stage.get("maria", pattern)) for _, pattern in routes())
    assert [word for word in everything if word not in hers] == [], "canaries that sing nowhere"
