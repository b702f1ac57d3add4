"""Reasons of system errors in plain English, with their likely cause, without numbers and exception names. Pure."""

from __future__ import annotations

import errno

from shared.errors import DeepThingsError

CONNECTION_LOST = "the connection was lost"

NO_ANSWER = "it does not answer (is it on, and does a firewall let us through?)"

NO_ROUTE = "no route to it (is the network up, and the address right?)"

SYSTEM_REASONS = {
    errno.ECONNREFUSED: "connection refused (nothing listens there: is it running, and is the port right?)",
    errno.EHOSTUNREACH: NO_ROUTE,
    errno.ENETUNREACH: NO_ROUTE,
    errno.ENETDOWN: "the network is down",
    errno.EHOSTDOWN: NO_ANSWER,
    errno.ETIMEDOUT: NO_ANSWER,
    errno.ECONNRESET: CONNECTION_LOST,
    errno.ECONNABORTED: CONNECTION_LOST,
    errno.EPIPE: CONNECTION_LOST,
    errno.ENOTCONN: CONNECTION_LOST,
    errno.EADDRINUSE: "the port is in use",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
    errno.EAFNOSUPPORT: "this machine does not have that kind of address",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.EMFILE: "too many open files (the limit is that of 'ulimit -n')",
    errno.ENFILE: "too many open files on this machine",
    errno.ENOBUFS: "there is not enough memory",
    errno.ENOMEM: "there is not enough memory",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is too large for its disk",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk or device fails",
    errno.ENOENT: "no such file or folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.ENOTDIR: "it is a file, or below one, not a folder",
    errno.EEXIST: "that name exists already, perhaps as a file instead of a folder",
    errno.ENOTEMPTY: "the folder is not empty",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ELOOP: "its links form a loop",
    errno.ENODEV: "no such device",
    errno.ENXIO: "no such device",
    errno.EBUSY: "it is busy (does another program use it?)",
    errno.ENOEXEC: "it is not a program for this machine",
    errno.ETXTBSY: "another program is writing it",
}


def system_reason(error: BaseException) -> str:
    """Return the reason why a file, folder, device or connection failed, as the end of a sentence."""
    if isinstance(error, DeepThingsError):  # its message is the reason
        return str(error)
    if isinstance(error, OSError):
        return SYSTEM_REASONS.get(error.errno or 0) or (error.strerror or "").lower() or "the system gives no reason"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return str(error) or "no reason is known"
