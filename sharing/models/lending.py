"""What a person lends to somebody else, and by which ways it is opened."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import PatientRecord, Representative
from studies.models import Series, Study


class GrantQuerySet(models.QuerySet["Grant"]):
    """Grants by what they are worth now."""

    def live(self) -> GrantQuerySet:
        """Begun, and standing: what opens something now."""
        return self.standing().filter(starts_at__lte=timezone.now())

    def standing(self) -> GrantQuerySet:
        """Neither stopped nor over, and given by somebody who may still lend from that record."""
        now = timezone.now()
        managers = Representative.objects.filter(
            Q(ends_at=None) | Q(ends_at__gt=now),
            record=OuterRef("record"),
            user=OuterRef("given_by"),
            level=Representative.Level.MANAGE,
        )
        owned = Q(record__user=F("given_by"))
        return self.filter(owned | Exists(managers), revoked_at=None, expires_at__gt=now)


class Grant(models.Model):
    """A person lends images on one record to somebody else, until a day. It always ends, and is never deleted.

    The addressee is whoever proves the address: `provider` is set when an account with it, verified, signs in. Or it
    is whoever has the link: see `ShareLink`.
    """

    class Kind(models.TextChoices):
        EMAIL = "email", _("By e-mail")
        LINK = "link", _("By link")

    class Purpose(models.TextChoices):
        """What for, where she says it: HL7's PurposeOfUse, and a second opinion, which it has not."""

        TREATMENT = "TREAT", _("Treatment")
        SECOND_OPINION = "SECOND", _("A second opinion")
        FAMILY = "FAMRQT", _("For my family")
        PAYMENT = "HPAYMT", _("Insurance")
        LEGAL = "HLEGAL", _("A legal matter")

    class Scope(models.TextChoices):
        CHOSEN = "chosen", _("Chosen exams")
        ALL = "all", _("All exams of that day")  # written out as items, so that later ones stay out
        ALL_AND_LATER = "all_and_later", _("All exams, and those that come later")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    record = models.ForeignKey(PatientRecord, on_delete=models.PROTECT, related_name="grants")
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.EMAIL)
    email = models.EmailField(blank=True, default="")  # in lower case, as accounts keep it; none for a link
    whom = models.CharField(max_length=200, blank=True, default="")  # what the giver calls whoever gets the link
    provider = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="borrowed", null=True, blank=True
    )
    scope = models.CharField(max_length=20, choices=Scope.choices)
    may_report = models.BooleanField(default=False)
    may_download = models.BooleanField(default=False)
    tell_each = models.BooleanField(default=False)  # a letter at each visit, not at the first only
    purpose = models.CharField(max_length=6, choices=Purpose.choices, blank=True, default="")
    note = models.CharField(max_length=400, blank=True)
    invitation_digest = models.BinaryField(max_length=32, default=b"")  # sha256 of the secret in the letter's link
    created_at = models.DateTimeField(default=timezone.now)
    starts_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    more_asked_at = models.DateTimeField(null=True, blank=True)  # by the borrower; none once she was answered
    reminded_at = models.DateTimeField(null=True, blank=True)  # that it ends soon
    first_opened_at = models.DateTimeField(null=True, blank=True)
    last_opened_at = models.DateTimeField(null=True, blank=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="grant_ends_after_it_began"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("starts_at")), name="grant_ends_after_its_start"),
            models.CheckConstraint(
                condition=(Q(kind="email") & ~Q(email="")) | Q(kind="link", email="", provider=None),
                name="grant_by_email_or_by_link",
            ),
        ]
        indexes = [
            models.Index(fields=["record", "-created_at"], name="grants_of_record"),
            models.Index(fields=["provider", "expires_at"], name="grants_to_provider"),
            models.Index(fields=["email"], name="grants_to_adopt", condition=Q(provider=None)),
        ]

    def __str__(self) -> str:
        return f"grant {self.pk}"  # never the address: what is printed may end in a log


class GrantItem(models.Model):
    """One study of a grant; with `series`, that series of it only: then there is one for each such series."""

    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="items")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="+")
    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="+", null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["grant", "study"], condition=Q(series=None), name="one_item_per_study"),
            models.UniqueConstraint(fields=["grant", "series"], name="one_item_per_series"),
        ]

    def __str__(self) -> str:
        return f"item of {self.grant_id}"


class ShareLink(models.Model):
    """What opens a grant by link: a random id that stands in the address, and a secret of which only a digest stays.

    The code is the same for people: short enough to be typed from a sheet of paper.
    """

    WRONG_PASSCODES = 10  # that are ever compared; then the link is locked for good

    grant = models.OneToOneField(Grant, on_delete=models.PROTECT, related_name="link", primary_key=True)
    slug = models.CharField(max_length=32, unique=True)
    digest = models.BinaryField(max_length=32)  # sha256 of the secret
    code_selector = models.CharField(max_length=4, db_index=True)
    code_digest = models.CharField(max_length=200)  # see sharing.codes
    passcode_digest = models.BinaryField(max_length=32, default=b"")  # empty where none is needed
    wrong_passcodes = models.PositiveIntegerField(default=0)
    most_openings = models.PositiveIntegerField(null=True, blank=True)
    openings = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"link of {self.grant_id}"


class ShareSession(models.Model):
    """A browser that opened links, without an account. Its cookie holds a token; only the digest is here."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    digest = models.BinaryField(max_length=32, unique=True)  # sha256 of the token
    created_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    name = models.CharField(max_length=200, blank=True, default="")  # these three as somebody said, unproved
    practice = models.CharField(max_length=200, blank=True, default="")
    npi = models.CharField(max_length=10, blank=True, default="")

    def __str__(self) -> str:
        return f"share session {self.pk}"

    @property
    def declared(self) -> str:
        """Who somebody says that she is, in one line; empty when she did not say."""
        said = ", ".join(part for part in (self.name, self.practice) if part)
        return f"{said} (NPI {self.npi})" if self.npi else said


class Opening(models.Model):
    """A link was opened in a share session, which sees what its grant lends from then on."""

    session = models.ForeignKey(ShareSession, on_delete=models.PROTECT, related_name="openings")
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="openings")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "grant"], name="one_opening_per_session")]

    def __str__(self) -> str:
        return f"opening of {self.grant_id}"


class Capability(models.Model):
    """A secret address by which a machine pulls what one grant lends, until an hour."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="capabilities")
    digest = models.BinaryField(max_length=32, unique=True)  # sha256 of what stands in the address
    made_by = models.CharField(max_length=200, blank=True)  # as the audit calls whoever made it
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"capability {self.pk}"
