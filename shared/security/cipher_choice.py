"""The cipher for processors without instructions for AES: ChaCha20 is several times as fast there as AES.

Python cannot choose ciphers of TLS 1.3 before 3.15, so OpenSSL is asked itself. Where that is not possible, AES
remains, which is slow, but no less secure.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import ssl
import sys

CHACHA_FIRST = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"

CHACHA = CHACHA_FIRST.partition(":")[0]

PRIORITIZE_CHACHA = ssl.Options(0x200000)
"""OpenSSL's SSL_OP_PRIORITIZE_CHACHA: a server uses it for clients that prefer it."""

LAST_KNOWN_LAYOUT = (3, 14)
"""The last version of CPython whose contexts are known to begin with a pointer to OpenSSL's."""


@functools.cache
def has_aes_instructions() -> bool:
    """Return whether this processor has instructions for AES; true where that is not known."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123
        return aes_in(file.read())
    return True


def aes_in(processors: str) -> bool:
    """Return whether a processor with this description, as in /proc/cpuinfo, has instructions for AES; pure."""
    lines = (line.partition(":") for line in processors.splitlines())
    features = [value.split() for key, _, value in lines if key.strip() in {"flags", "Features"}]
    return not features or "aes" in features[0]


def choose_cipher(context: ssl.SSLContext, *, aes: bool) -> None:
    """Let a context prefer ChaCha20 if this side has no instructions for AES, and a server, if the client has none."""
    context.options |= PRIORITIZE_CHACHA
    if not aes:
        with contextlib.suppress(AttributeError, OSError):  # OpenSSL is within Python here, and cannot be asked
            _prefer_chacha(context)


def _prefer_chacha(context: ssl.SSLContext) -> None:
    own_way = getattr(context, "set_ciphersuites", None)
    if own_way is not None:
        own_way(CHACHA_FIRST)
    elif sys.implementation.name == "cpython" and sys.version_info[:2] <= LAST_KNOWN_LAYOUT:
        import _ssl  # noqa: PLC0415  (only where it is needed)

        set_ciphersuites = ctypes.CDLL(_ssl.__file__).SSL_CTX_set_ciphersuites
        set_ciphersuites.argtypes, set_ciphersuites.restype = [ctypes.c_void_p, ctypes.c_char_p], ctypes.c_int
        pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
        set_ciphersuites(pointer, CHACHA_FIRST.encode())
