"""The choice of the cipher: on processors without instructions for AES, ChaCha20 is several times as fast as AES.

Before version 3.15, Python cannot choose the ciphers of TLS 1.3, so OpenSSL is called directly. Where that is not
possible, AES is used, which is slower, but as secure.
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
"""The last version of CPython for which it is known that an SSLContext begins with the pointer to OpenSSL's context."""


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
    """Let a context prefer ChaCha20 if this device has no AES instructions (`aes` False), or a server's client none."""
    context.options |= PRIORITIZE_CHACHA
    if not aes:
        with contextlib.suppress(AttributeError, OSError):  # OpenSSL is built into Python, and cannot be called
            _prefer_chacha(context)


def _prefer_chacha(context: ssl.SSLContext) -> None:
    set_by_python = getattr(context, "set_ciphersuites", None)  # since Python 3.15
    if set_by_python is not None:
        set_by_python(CHACHA_FIRST)
    elif sys.implementation.name == "cpython" and sys.version_info[:2] <= LAST_KNOWN_LAYOUT:
        import _ssl  # noqa: PLC0415  (only where it is needed)

        set_ciphersuites = ctypes.CDLL(_ssl.__file__).SSL_CTX_set_ciphersuites
        set_ciphersuites.argtypes, set_ciphersuites.restype = [ctypes.c_void_p, ctypes.c_char_p], ctypes.c_int
        pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
        set_ciphersuites(pointer, CHACHA_FIRST.encode())
