"""What is tried with each server, and what of it is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median, quantiles

from bench.client import latencies, slow_readers
from bench.corpus import Study, many
from bench.server import Server

SLOW = 40
GLANCE = 0.05  # seconds between two looks of somebody who waits


@dataclass(frozen=True)
class Measure:
    """One line of the table."""

    name: str
    unit: str
    more_is_better: bool = False


Sample = tuple[Measure, float]
Trial = Callable[[Server, Study], Iterator[Sample]]


def send(name: str, per_request: int) -> Trial:
    """A trial: send a study in requests of so many instances, then wait until its pictures are made."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        requests, count = study.requests(per_request), len(study.instances)
        spent, received, began = server.cpu(), server.receiving(), time.perf_counter()
        server.send(requests)
        took, cost = time.perf_counter() - began, server.receiving() - received
        yield Measure(name, "MB/s", more_is_better=True), study.size / 1e6 / took
        yield Measure(name, "instances/s", more_is_better=True), count / took
        yield Measure(f"{name}: processor", "ms/instance"), cost / count * 1000
        server.wait_for(study)
        if server.renders:
            yield Measure(f"{name}: ready after the last answer", "s"), time.perf_counter() - began - took
            yield Measure(f"{name}: processor until ready", "ms/instance"), (server.cpu() - spent) / count * 1000

    return trial


def send_at_once(name: str, per_request: int, senders: int) -> Trial:
    """A trial: so many senders at the same time, each with a study of its own."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        studies = [study, *(study.again() for _ in range(senders - 1))]
        requests = [one.requests(per_request) for one in studies]
        began = time.perf_counter()
        with ThreadPoolExecutor(senders) as pool:
            list(pool.map(server.send, requests))
        took = time.perf_counter() - began
        yield Measure(name, "instances/s", more_is_better=True), sum(len(one.instances) for one in studies) / took
        for one in studies:
            server.wait_for(one)

    return trial


def watch(name: str, per_request: int) -> Trial:
    """A trial: somebody waits for the first picture of a large study while it is still coming."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        requests = study.requests(per_request)
        with ThreadPoolExecutor(1) as pool:
            began = time.perf_counter()
            sending = pool.submit(server.send, requests)
            while not server.has_picture(study):
                time.sleep(GLANCE)
            yield Measure(f"{name}: first picture after its first byte was sent", "s"), time.perf_counter() - began
            sending.result()
            sent = time.perf_counter()
        server.wait_for(study)
        yield Measure(f"{name}: all ready after the last answer", "s"), time.perf_counter() - sent

    return trial


def swell(name: str, per_request: int, size: int) -> Trial:
    """A trial: so many bytes, one study after the other; what the receiving processes hold more at the worst."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        before = most = server.memory()[server.receiver]
        last = study
        for last in many(study, size):
            for request in last.requests(per_request):
                server.send([request])
                most = max(most, server.memory()[server.receiver])
        yield Measure(name, "MB"), most - before
        server.wait_for(last)

    return trial


def take_home(name: str) -> Trial:
    """A trial: the whole study as a ZIP."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        path, spent = server.archive(study), server.cpu()
        answer = server.get(path)
        yield Measure(name, "s"), answer.whole
        yield Measure(f"{name}: originals", "MB/s", more_is_better=True), study.size / 1e6 / answer.whole
        yield Measure(f"{name}: first byte", "ms"), answer.first * 1000
        yield Measure(f"{name}: size", "MB"), answer.length / 1e6
        yield Measure(f"{name}: processor", "s"), server.cpu() - spent

    return trial


def look(at_once: int, each: int) -> Trial:
    """A trial: one picture after the other, by so many people at once."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        paths, spent, began = server.pictures(study), server.cpu(), time.perf_counter()
        times = latencies(server.port, server.looking, paths, at_once=at_once, each=each)
        took, cost = time.perf_counter() - began, server.cpu() - spent
        yield from _spread(f"Picture, {at_once} at once", times)
        yield Measure(f"Pictures, {at_once} at once", "per s", more_is_better=True), len(times) / took
        yield Measure(f"Picture, {at_once} at once: processor", "ms"), cost / len(times) * 1000

    return trial


def pages(each: int) -> Trial:
    """A trial: the pages that a person comes by."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        for name, path in server.pages(study).items():
            yield from _spread(name, latencies(server.port, server.looking, [path], at_once=1, each=each))

    return trial


def crowd(each: int) -> Trial:
    """A trial: one person looks while many others download slowly."""

    def trial(server: Server, study: Study) -> Iterator[Sample]:
        asked = {"Picture": server.pictures(study)[0], **server.pages(study)}
        downloads = server.downloads(study, SLOW)
        before, began = sum(server.memory().values()), time.perf_counter()
        with slow_readers(server.port, downloads):
            yield Measure(f"{SLOW} slow downloads: until all have begun", "s"), time.perf_counter() - began
            for name, path in asked.items():
                times = latencies(server.port, server.looking, [path], at_once=1, each=each)
                yield Measure(f"{name} meanwhile: median", "ms"), median(times) * 1000
            more = sum(server.memory().values()) - before
        yield Measure(f"{SLOW} slow downloads: memory of each", "MB"), more / SLOW

    return trial


def memory(server: Server, study: Study) -> Iterator[Sample]:
    """What it holds after all that."""
    kinds = server.memory()
    yield Measure("Memory after all this", "MB"), sum(kinds.values())
    for kind, megabytes in kinds.items() if len(kinds) > 1 else []:
        yield Measure(f"Memory: {kind}", "MB"), megabytes


def _spread(name: str, times: list[float]) -> Iterator[Sample]:
    yield Measure(f"{name}: median", "ms"), median(times) * 1000
    yield Measure(f"{name}: 95th percentile", "ms"), quantiles(times, n=20)[-1] * 1000
