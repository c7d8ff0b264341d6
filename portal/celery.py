"""The worker and its clock.

What has to be done stands in rows (`studies.jobs`); messages only say "look now". So a message may be lost, and
none carries more than an opaque id.
"""

from __future__ import annotations

import os
from typing import Any, Final

from celery import Celery
from celery.signals import worker_init
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("lightbox")

COURTESY: Final = 5
"""Steps of niceness (nice(2)): beside a busy web server a worker still gets a quarter of a processor."""


def configuration() -> dict[str, Any]:
    """Celery's settings, read when first needed: Django's are complete by then."""
    return {
        **_broker(),
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_publish_retry": False,  # a publication is not kept waiting for a broker: the sweep rings again
        "worker_prefetch_multiplier": 1,
        # Of processes; threads have none, and what a study's child in the sandbox may take is limited there. Redis
        # gives a message to another worker after an hour, so none may be worked on for longer.
        "task_soft_time_limit": 1800,
        "task_time_limit": 2100,
        "worker_enable_remote_control": False,
        "worker_hijack_root_logger": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_timeout": 3,
        # A message of the clock that nobody fetched in time has been replaced by the next one.
        "beat_schedule": {
            "sweep": {"task": "studies.sweep", "schedule": 5.0, "options": {"expires": 5}},
            "letters": {"task": "accounts.deliver_letters", "schedule": 10.0, "options": {"expires": 10}},
            "follow": {"task": "sharing.follow_missed", "schedule": 60.0, "options": {"expires": 60}},
            "tell": {"task": "sharing.tell", "schedule": 10.0, "options": {"expires": 10}},
            "missed": {"task": "sharing.note_missed", "schedule": 3600.0, "options": {"expires": 3600}},
            "remind": {"task": "sharing.remind", "schedule": 3600.0, "options": {"expires": 3600}},
            "scrub": {"task": "studies.scrub", "schedule": 60.0, "options": {"expires": 60}},
            "tidy": {"task": "studies.tidy", "schedule": 600.0, "options": {"expires": 600}},
            "analyze": {"task": "portal.analyze", "schedule": 600.0, "options": {"expires": 600}},
            "forget": {"task": "accounts.forget", "schedule": 3600.0, "options": {"expires": 3600}},
        },
    }


def _broker() -> dict[str, Any]:
    if settings.BROKER_URL:
        return {"broker_url": settings.BROKER_URL}
    folder = settings.DATA_DIR / "broker"
    for path in (folder, folder / "messages", folder / "queues"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "queues"),
        "polling_interval": 0.05,
    }
    TRANSPORT_ALIASES["folder"] = "portal.broker:Transport"
    return {"broker_url": "folder://localhost", "broker_transport_options": options}


@worker_init.connect
def give_way(**_: Any) -> None:
    """Prepare pictures with the processor time that nobody who sends or looks wants on the same machine."""
    os.nice(COURTESY)


app.add_defaults(configuration)
app.autodiscover_tasks()
