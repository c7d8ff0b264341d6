"""Who is at the other end: certificates, and addresses."""

from __future__ import annotations

import socket
import ssl

from gateway.config import Dicom, Hl7, Misconfigured


def listening(name: str, said: Dicom | Hl7) -> ssl.SSLContext | None:
    """TLS for who listens, by the section of this name; None without a certificate.

    With `peers_ca`, only machines with a certificate of that authority get in. Raises Misconfigured.
    """
    if not said.certificate:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=said.peers_ca)
        context.load_cert_chain(said.certificate, said.private_key)
    except OSError as error:  # SSLError is one
        raise Misconfigured(f"[{name}] certificate, private_key or peers_ca cannot be used: {error}.") from error
    context.verify_mode = ssl.CERT_REQUIRED if said.peers_ca else ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def addresses(host: str) -> set[str]:
    """Every address of a host; none when nobody knows it."""
    try:
        return {str(one[4][0]) for one in socket.getaddrinfo(host, None)}
    except OSError:
        return set()
