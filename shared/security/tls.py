"""TLS between members of a cluster: version 1.3, and certificates of the cluster's authority on both sides."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from shared.reasons.network_reasons import PLAIN_TEXT_ERRORS, network_reason
from shared.security.certificates import IGNORE_CLOCK
from shared.security.cipher_choice import choose_cipher, has_aes_instructions

if TYPE_CHECKING:
    from shared.security.node_identity import NodeIdentity

TLS_FIRST_BYTE = 0x16
"""The first byte of every TLS connection (a handshake record); unencrypted messages begin with the D of MAGIC."""

JOIN_HINT = "type 'deepthings invite NAME' at the gateway, and then the command that it prints on that device"

_OTHER_CLUSTER_ERRORS = frozenset(
    {"TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_ALERT_DECRYPT_ERROR", "TLSV1_ALERT_ACCESS_DENIED"}
)
"""OpenSSL's reasons when the peer does not trust our certificate."""


def server_context(identity: NodeIdentity) -> ssl.SSLContext:
    """Return a context for accepting connections of members. Raises OSError when the files cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # tickets are for resuming a session, and our connections stay open instead
    return _prepared(context, identity)


def client_context(identity: NodeIdentity) -> ssl.SSLContext:
    """Return a context for connecting to members. Raises OSError when the files cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the role and the name in the certificate are checked instead: addresses change
    return _prepared(context, identity)


def _prepared(context: ssl.SSLContext, identity: NodeIdentity) -> ssl.SSLContext:
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    choose_cipher(context, aes=has_aes_instructions())
    context.verify_flags |= IGNORE_CLOCK | ssl.VERIFY_X509_STRICT
    context.load_verify_locations(identity.authority_file)
    context.load_cert_chain(identity.certificate_file, identity.key_file, password="")
    return context


def handshake_reason(error: OSError) -> str:
    """Return the reason why no encrypted connection with a peer was made, as the end of a sentence."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not of this cluster: {JOIN_HINT}"
    why = getattr(error, "reason", None)
    if why in _OTHER_CLUSTER_ERRORS:
        return "it does not accept the certificate of this device, which is of another cluster: join the right one"
    if why == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return f"it showed no certificate: {JOIN_HINT}"
    if why in PLAIN_TEXT_ERRORS:
        return f"it does not encrypt, so it has no keys of this cluster: {JOIN_HINT}"
    if isinstance(error, ConnectionError):
        return f"it ended the connection before it was encrypted; if it has no keys of this cluster, {JOIN_HINT}"
    return network_reason(error)
