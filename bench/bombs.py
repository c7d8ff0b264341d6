"""Do hostile files slow the site for others? Pages are timed while nothing comes, among pictures and among bombs.

    python -m bench.bombs [--bombs 68] [--each 150]

Exit code 1 when a page's 95th percentile among bombs is more than twice that among as many ordinary pictures, or when
anything is answered with 5xx.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles

from bench.client import latencies
from bench.corpus import Study, chest
from bench.site import Lightbox
from tests.factories import ct_file, related
from tests.studies.hostile_made import FILES

SLICES = 24
AT_ONCE = 2
MOST_TIMES = 2.0
ITS_UID = b"1.2.826.0.1.3"

Sending = Callable[[Lightbox], None]


def main() -> int:
    """Time the pages three times and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bombs", type=int, default=2 * len(FILES))
    parser.add_argument("--each", type=int, default=150, help="pages asked for in each of the three")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lightbox-bombs-") as folder:
        site, study = Lightbox(Path(folder)), chest(SLICES)
        try:
            times = _timed(site, study, options.bombs, options.each)
        finally:
            site.stop()
    return int(times["bombs"] > MOST_TIMES * times["ordinary pictures"])


def _timed(site: Lightbox, study: Study, bombs: int, each: int) -> dict[str, float]:
    site.prepare()
    site.send(study.requests(SLICES))
    site.wait_for(study)
    ordinary = [ct_file(number, study=5, size=256) for number in range(1, bombs + 1)]
    kinds: dict[str, list[bytes]] = {"nothing": [], "ordinary pictures": ordinary, "bombs": list(_bombs(bombs))}
    return {kind: _among(site, study, kind, files, each) for kind, files in kinds.items()}


def _bombs(count: int) -> Iterator[bytes]:
    """Every hostile file, and again under other UIDs."""
    for number in range(count):
        made = list(FILES.values())[number % len(FILES)]()
        yield made.replace(ITS_UID, ITS_UID[:-1] + str(3 + number // len(FILES)).encode())


def _among(site: Lightbox, study: Study, kind: str, files: list[bytes], each: int) -> float:
    """Seconds of the 95th percentile of a page, while these are sent one after the other."""
    paths = list(site.pages(study).values())
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(_send, site, files)
        took = latencies(site.port, site.looking, paths, at_once=AT_ONCE, each=each)
        statuses = sending.result()
    cuts = quantiles(took, n=20)
    answered = f"{len(statuses)} sent, {sum(status == 200 for status in statuses)} kept"
    print(f"{kind:<18} p50 {cuts[9] * 1000:6.1f} ms  p95 {cuts[18] * 1000:6.1f} ms   {answered}", flush=True)
    return cuts[18]


def _send(site: Lightbox, files: list[bytes]) -> list[int]:
    """Send each in a request of its own; what they were answered."""
    statuses = []
    for file in files:
        kind, body = related([file])
        http = HTTPConnection("127.0.0.1", site.port, timeout=60)
        http.request("POST", f"{site.dicomweb}/studies", body, {**site.sending, "Content-Type": kind})
        statuses.append(http.getresponse().status)
        http.close()
    if any(status >= 500 for status in statuses):
        raise RuntimeError(f"answered {sorted(set(statuses))}")
    return statuses


if __name__ == "__main__":
    sys.exit(main())
