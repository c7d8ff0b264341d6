"""Whether everything is in place, in words: the portal, the key, the disk, the port, the machines around."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import requests

from gateway import receiving, tls
from gateway.config import Config, Dicom, Hl7, Misconfigured
from gateway.spool import opened

PATIENCE = 10
NOBODY = "2.25.0"
"""A Study Instance UID that nobody has: to ask for it shows whether the key is good, and publishes nothing."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    is_well: bool
    words: str


def findings(config: Config, *, is_running: bool = False) -> Iterator[Finding]:
    """Look at one thing after the other. Raises nothing. A gateway that runs has its ports: they are not tried."""
    yield from _portal(config)
    yield _disk(config)
    if config.peers and not is_running:
        yield from _listens("dicom", config.dicom, "DICOM")
    if config.hl7 and not is_running:
        yield from _listens("hl7", config.hl7, "HL7")
    for peer in config.peers:
        if not peer.host or not peer.port:
            yield Finding(
                True, f"{peer.ae_title} may send. Without its host and port nobody can tell it of commitments."
            )
        elif receiving.echo(config, peer):
            yield Finding(True, f"{peer.ae_title} answers C-ECHO.")
        else:
            yield Finding(
                False,
                f"{peer.ae_title} does not answer C-ECHO at {peer.host}:{peer.port}. Does it know the AE title"
                f" {config.dicom.ae_title}? Is it on, and does a firewall let the gateway through?",
            )


def _portal(config: Config) -> Iterator[Finding]:
    portal = config.portal
    verify: str | bool = str(portal.ca_file) if portal.ca_file else True
    url = portal.url.rstrip("/")
    try:
        alive = requests.get(f"{url}/readyz", timeout=PATIENCE, verify=verify, allow_redirects=False)
    except requests.exceptions.SSLError:
        yield Finding(False, f"The certificate of {url} is not known here. Say its authority by [portal] ca_file.")
        return
    except requests.RequestException:
        yield Finding(False, f"{url} does not answer. Is the address right, and may the gateway go out by HTTPS?")
        return
    if alive.status_code != 200:
        yield Finding(False, f"{url} answers {alive.status_code}: it is not ready, or no Lightbox.")
        return
    yield Finding(True, f"{url} is ready.")
    try:
        asked = requests.get(
            f"{url}/api/v1/publications/{NOBODY}/",
            headers={"Authorization": f"Bearer {portal.key}"},
            timeout=PATIENCE,
            verify=verify,
            allow_redirects=False,
        )
    except (Misconfigured, requests.RequestException, ValueError) as error:
        yield Finding(False, str(error) if isinstance(error, Misconfigured) else "The key could not be tried.")
        return
    if asked.status_code == 404:
        yield Finding(True, "The portal knows the key of this facility.")
    else:
        yield Finding(
            False, f"The portal refuses the key in {portal.key_file} ({asked.status_code}). Issue a new one there."
        )


def _disk(config: Config) -> Finding:
    keeping = config.spool
    try:
        with opened(keeping) as spool:
            free = spool.free_bytes() / 10**6
    except (OSError, ValueError) as error:
        return Finding(False, f"{keeping.folder} cannot be used: {error}.")
    if free < keeping.least_free_mb:
        return Finding(
            False, f"{keeping.folder} has {free:.0f} MB left; {keeping.least_free_mb} MB must be. Make room."
        )
    return Finding(True, f"{keeping.folder} can be written, and {free:.0f} MB are free.")


def _listens(name: str, said: Dicom | Hl7, what: str) -> Iterator[Finding]:
    """Its certificate, and its port."""
    try:
        context = tls.listening(name, said)
    except Misconfigured as error:
        yield Finding(False, str(error))
        return
    if context is None:
        yield Finding(True, f"{what} goes without TLS: keep the gateway within the network of the facility.")
    else:
        yield Finding(True, f"{what} goes by TLS" + (", with certificates of both." if said.peers_ca else "."))
    with socket.socket(socket.AF_INET6 if ":" in said.address else socket.AF_INET) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind((said.address, said.port))
        except OSError as error:
            words = error.strerror or type(error).__name__
            yield Finding(False, f"Port {said.port} cannot be had: {words}. Does a gateway run already?")
            return
    yield Finding(True, f"Port {said.port} is free for {what}.")
