"""The refusals everybody uses: a code for programs, words for people, and a next step."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise


class PortalError(Exception):
    """A deed that is refused. `portal.errors` turns it into a page or JSON; views hold no error words."""

    status: int = 400
    code: str = "refused"
    message: Words = _("We could not do that.")
    hint: Words = _("Please go back and try again.")

    def __init__(self, message: Words = "", *, hint: Words = "") -> None:
        self.message = message or self.message
        self.hint = hint or self.hint
        super().__init__(self.code)  # never the words: they may quote a person, and tracebacks end in logs


class BadRequest(PortalError):
    """What was sent cannot be used as it is."""

    status, code = 400, "bad_request"
    message = _("We could not read that request.")
    hint = _("Check what was sent and try again.")


class SignInNeeded(PortalError):
    """Nobody is signed in, or the key is missing or wrong."""

    status, code = 401, "sign_in_needed"
    message = _("Please sign in first.")
    hint = _("Sign in, or send a valid key, and try again.")


class NotAllowed(PortalError):
    """What one may see but not do."""

    status, code = 403, "not_allowed"
    message = _("You may not do that.")
    hint = _("Ask the person whose images these are, or your facility's administrator.")


class NotFound(PortalError):
    """The same answer for what does not exist and for what is somebody else's."""

    status, code = 404, "not_found"
    message = _("We can't find that page.")
    hint = _("Check the address, and that you are signed in with the right account.")


class Conflict(PortalError):
    """What is asked for contradicts what already is."""

    status, code = 409, "conflict"
    message = _("That does not fit with what is already here.")
    hint = _("Reload to see the present state and try again.")


class TooManyTries(PortalError):
    """A cap or a rate is reached. `retry_after` is in seconds; None when waiting does not help."""

    status, code = 429, "too_many_tries"
    message = _("There were too many tries.")
    hint = _("Please wait a while and try again.")

    def __init__(self, message: Words = "", *, hint: Words = "", retry_after: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Unavailable(PortalError):
    """Something we need is not there just now. `retry_after` is in seconds."""

    status, code = 503, "unavailable"
    message = _("This is not available just now.")
    hint = _("Nothing is lost. Please try again in a minute.")

    def __init__(self, message: Words = "", *, hint: Words = "", retry_after: int = 60) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
