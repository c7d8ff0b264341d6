"""Who acts: people, facilities and their staff; and the record of deeds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    """Makes people from an e-mail address."""

    def create_user(self, email: str, password: str | None = None) -> User:
        """A person who signs in with this e-mail address; kept in lower case, as mail is delivered."""
        user = self.model(email=email.strip().lower())
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        """The person with this e-mail address, whatever its case."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person who signs in. What she is to the site follows from her record, memberships and profile."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(default=timezone.now)
    session_epoch = models.PositiveIntegerField(default=0)  # a higher one ends every session made before

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return str(self.pk)  # never the address: what is printed may end in a log

    def get_session_auth_hash(self) -> str:
        """What a session must carry to stay valid: it ends with the password or with the epoch."""
        return self._session_hash(settings.SECRET_KEY)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """The same under the former secret keys, so that a rotation signs nobody out."""
        for former in settings.SECRET_KEY_FALLBACKS:
            yield self._session_hash(former)

    def _session_hash(self, secret: str | bytes) -> str:
        value = f"{self.session_epoch}:{self.password}"
        return salted_hmac("accounts.User.session", value, secret=secret, algorithm="sha256").hexdigest()


class Facility(models.Model):
    """An imaging centre that publishes studies (IHE: document source)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    issuer = models.CharField(max_length=200, blank=True, help_text=_("Issuer of its patient IDs (OID)."))
    phone = models.CharField(max_length=40, blank=True)
    hours = models.CharField(max_length=200, blank=True)
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "facilities"

    def __str__(self) -> str:
        return self.name


class Gateway(models.Model):
    """A program on a facility's network that publishes for it, as it last spoke of itself: of nobody in person."""

    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="gateways")
    name = models.CharField(max_length=64)
    heard_at = models.DateTimeField(default=timezone.now)
    waiting = models.PositiveIntegerField(default=0)
    waiting_since = models.DateTimeField(null=True, blank=True)  # the oldest
    dead = models.PositiveIntegerField(default=0)  # letters that the portal does not take
    trouble = models.CharField(max_length=300, blank=True)
    machines = models.JSONField(default=list)  # [{"name": "PACS", "heard_at": ISO 8601 or ""}]
    letters = models.JSONField(default=list)  # of what the portal does not take: [{"id", "what", "reason", "since"}]
    findings = models.JSONField(default=list)  # of its last test of itself: [{"is_well", "words"}]
    tested_at = models.DateTimeField(null=True, blank=True)
    to_retry = models.JSONField(default=list)  # ids of letters that staff want tried again; it hears of it next time
    to_test = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["facility", "name"], name="one_gateway_per_name")]

    def __str__(self) -> str:
        return f"gateway {self.pk}"


class Membership(models.Model):
    """A person's place on a facility's staff."""

    class Role(models.TextChoices):
        CLERK = "clerk", _("Front desk")
        ADMINISTRATOR = "administrator", _("Administrator")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships")
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.CLERK)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "facility"], name="one_membership_each")]

    def __str__(self) -> str:
        return f"{self.user_id} at {self.facility_id}"


class FacilityKey(models.Model):
    """What a facility's tools publish with. Only a digest is kept; the key is shown once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="keys")
    selector = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"key {self.pk}"


class PatientRecord(models.Model):
    """A person's own shelf: what facilities sent her is linked to it. A dependant's has no user of its own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="record", null=True, blank=True
    )
    name = models.CharField(max_length=200, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"record {self.pk}"


class Representative(models.Model):
    """Somebody who looks after another person's record, at a level and until a day."""

    class Level(models.TextChoices):
        VIEW = "view", _("May look")
        MANAGE = "manage", _("May look, download and lend")

    record = models.ForeignKey(PatientRecord, on_delete=models.PROTECT, related_name="representatives")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="represents")
    level = models.CharField(max_length=10, choices=Level.choices, default=Level.VIEW)
    ends_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["record", "user"], name="one_representation_each")]

    def __str__(self) -> str:
        return f"{self.user_id} for {self.record_id}"


class ProviderProfile(models.Model):
    """A physician to whom patients lend."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="provider", primary_key=True
    )
    name = models.CharField(max_length=200, blank=True)
    practice = models.CharField(max_length=200, blank=True)
    npi = models.CharField("NPI", max_length=10, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"provider {self.pk}"


class AuditEvent(models.Model):
    """One deed. Values, not foreign keys: it outlives what it describes. Written by `audit.record` only.

    Database triggers refuse UPDATE and DELETE (migration 0002).
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=40)
    actor_kind = models.CharField(max_length=20)  # as accounts.audit.Actor has them
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=200, blank=True)
    facility_id = models.UUIDField(null=True, blank=True)
    record_id = models.UUIDField(null=True, blank=True)
    study_id = models.UUIDField(null=True, blank=True)
    way = models.CharField(max_length=20, blank=True)  # page, timeline, desk, api, dicomweb, command, task
    request_id = models.CharField(max_length=36, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["study_id", "at"], name="audit_by_study"),
            models.Index(fields=["record_id", "at"], name="audit_by_record"),
        ]

    def __str__(self) -> str:
        return f"{self.action} at {self.at:%Y-%m-%d %H:%M}"


class AttemptCounter(models.Model):
    """How often something was tried: a lifetime cap, or a rate within a window. Keys are digests."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.count} since {self.since:%Y-%m-%d %H:%M}"


class Outgoing(models.Model):
    """A message that leaves by itself, see `accounts.outbox`. The row is the queue of record."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)  # while somebody sends it: when another one may try
    attempts = models.PositiveSmallIntegerField(default=0)
    failure = models.CharField(max_length=80, blank=True)  # the kind of the last error, never its words
    sent_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)  # given up, or came back

    class Meta:
        abstract = True


class Letter(Outgoing):
    """A letter by e-mail. Its words go once it is sent, for they may hold a code or a link that opens something; the
    demo keeps them, because its letter box is this table."""

    to = models.EmailField()
    template = models.CharField(max_length=100)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField()

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"],
                name="letters_to_send",
                condition=models.Q(sent_at=None, failed_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"letter {self.pk} ({self.template})"  # never the address: what is printed may end in a log


class Text(Outgoing):
    """A text message to a phone. Its words go once it is sent, as a letter's do."""

    to = models.CharField(max_length=16)  # as E.164 has it
    words = models.CharField(max_length=480)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="texts_to_send", condition=models.Q(sent_at=None, failed_at=None))
        ]

    def __str__(self) -> str:
        return f"text {self.pk}"  # never the number
