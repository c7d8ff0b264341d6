"""What `studies` tells: a study is ready. Connected by `SharingConfig.ready`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from sharing import releases
from studies.models import Study
from studies.signals import study_ready


@receiver(study_ready, dispatch_uid="follow")
def follow(study_id: UUID, **_: Any) -> None:
    """Offer it to whoever has claimed its patient."""
    releases.follow(Study.objects.get(pk=study_id))
