"""A large CT while it arrives: when is its first picture there, when all of them?

    python -m bench.arriving [--instances 1000] [--per-request 25] [--rounds 3]

The patient has claimed before anything arrives, and asks for her studies, their manifest and a picture all the time.
Seconds count from the answer to the request that brought the first instance, and from the answer to the last one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from statistics import median

import requests

from bench.client import Connection
from bench.corpus import Study, chest
from bench.site import Lightbox

LOOK_EVERY = 0.02
NAMES = ("sent in, s", "first picture, s", "all ready, s", "processor, ms/instance")


def main() -> None:
    """Publish it some times, each as a new study, and print what was seen."""
    parser = argparse.ArgumentParser(prog="bench.arriving", description=__doc__.partition("\n")[0])
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--per-request", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    study = chest(options.instances // 2)
    print(f"CT of {len(study.instances)} instances, {study.size / 1e6:.0f} MB, {options.per_request} a request")
    with tempfile.TemporaryDirectory(prefix="lightbox-bench-") as folder:
        site = Lightbox(Path(folder))
        try:
            site.prepare()
            rounds = [_arrive(site, study.again(), options.per_request) for _ in range(options.rounds)]
        finally:
            site.stop()
    for name, values in zip(NAMES, zip(*rounds, strict=True), strict=True):
        print(f"{name:<24}{median(values):8.2f}  [{min(values):.2f}–{max(values):.2f}]")


def _arrive(site: Lightbox, study: Study, per_request: int) -> tuple[float, float, float, float]:
    """Seconds: all sent; first picture after the first answer; ready after the last; processor until then."""
    bodies, spent, began = study.requests(per_request), site.cpu(), time.perf_counter()
    with ThreadPoolExecutor(1) as beside, Connection(site.port, site.sending) as connection:
        seen: Future[float] | None = None
        first = began
        for content_type, body in bodies:
            connection.post(f"{site.dicomweb}/studies", content_type, body)
            if seen is None:
                first, seen = time.perf_counter(), beside.submit(_first_picture, site, study)
        last = time.perf_counter()
        if seen is None:
            raise RuntimeError("nothing was sent")
        picture = seen.result()
    site.wait_for(study)
    ready = time.perf_counter()
    cost = (site.cpu() - spent) * 1000 / len(study.instances)
    return last - began, picture - first, ready - last, cost


def _first_picture(site: Lightbox, study: Study) -> float:
    """When the patient had a picture of it in hand."""
    with requests.Session() as session:
        session.headers.update(site.looking)
        session.headers["Connection"] = "keep-alive"
        address = f"http://127.0.0.1:{site.port}"
        while True:
            listed = session.get(f"{address}/api/v1/studies/", timeout=30).json()
            for one in listed:
                if one["study_uid"] == study.uid:
                    series = session.get(f"{address}/studies/{one['id']}/manifest/", timeout=30).json()["series"]
                    path = next(each["pictures"] for each in series if each["count"]).replace("{n}", "1")
                    if session.get(f"{address}{path}", timeout=30).content.startswith(b"\xff\xd8"):
                        return time.perf_counter()
            time.sleep(LOOK_EVERY)


if __name__ == "__main__":
    main()
