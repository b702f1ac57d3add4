from __future__ import annotations

import errno
import os
import re

import pytest

from shared.errors import PeerLostError, SourceError
from shared.reasons.system_reasons import SYSTEM_REASONS, system_reason


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_no_reason_has_a_number_of_the_system(number):
    words = system_reason(OSError(number, os.strerror(number), "/some/file"))
    assert words
    assert not re.search(r"\d|errno|error\b", words, re.IGNORECASE) or number not in SYSTEM_REASONS
    assert not re.search(rf"\b{number}\b|Errno", words)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 7)"), "connection refused"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no route to it"),
        (OSError(errno.EADDRINUSE, "Address already in use"), "the port is in use"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EROFS, "Read-only file system"), "the file system is read-only"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files"),
        (PermissionError(errno.EACCES, "Permission denied"), "permission denied"),
        (IsADirectoryError(errno.EISDIR, "Is a directory"), "it is a folder, not a file"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "no such file or folder"),
        (OSError(errno.EDOM, "Numerical argument out of domain"), "numerical argument out of domain"),
        (OSError("odd"), "the system gives no reason"),
        (ConnectionResetError(), "the system gives no reason"),
        (b"\xff", "it is not UTF-8 text"),
        (PeerLostError("shed went away"), "shed went away"),
        (SourceError("said already"), "said already"),
        (KeyError(), "no reason is known"),
    ],
)
def test_a_reason_is_in_words(error, words):
    if isinstance(error, bytes):
        with pytest.raises(UnicodeDecodeError) as raised:
            error.decode()
        error = raised.value
    assert system_reason(error).startswith(words)
