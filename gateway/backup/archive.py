"""Writes a backup completely or not at all; reads it without trusting its content."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zlib
from typing import TYPE_CHECKING, BinaryIO

from pydantic import ValidationError

from gateway.backup.manifest import (
    BACKUP_FORMAT,
    MANIFEST_NAME,
    MAX_BACKUP_BYTES,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    BackupItem,
    BackupManifest,
)
from shared.errors import ConfigurationError, DeepThingsError
from shared.files.whole_file import open_whole
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.backup.contents import BackupContents

BACKUP_ENDINGS = (".tar.gz", ".tgz")

MAX_ARCHIVE_BYTES = MAX_BACKUP_BYTES + MAX_MANIFEST_BYTES + MAX_FILES * 4096
"""Bytes of an unpacked archive, with the headers between the files."""


def write_archive(contents: BackupContents, target: Path) -> None:
    """Write a backup that only its owner can read; replace `target` when it is complete.

    Raises DeepThingsError when it cannot be written, or a file has changed meanwhile; OSError for an unreadable file.
    """
    manifest = contents.manifest.model_dump_json(indent=1).encode()
    try:
        with open_whole(target) as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            _add(archive, MANIFEST_NAME, io.BytesIO(manifest), len(manifest))
            for item, path in contents.files.items():
                with path.open("rb") as source:
                    _add(archive, item.member, source, item.size)
    except OSError as error:
        if error.filename in {str(path) for path in contents.files.values()}:
            raise
        raise DeepThingsError(f"{target} cannot be written: {system_reason(error)}") from error


def _add(archive: tarfile.TarFile, name: str, source: BinaryIO, size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    try:
        archive.addfile(entry, source)
    except OSError as error:
        if error.errno is not None:
            raise
        raise DeepThingsError(f"{name} has changed while it was read; try again") from error


def unpack(source: Path, folder: Path) -> tuple[BackupManifest, dict[BackupItem, Path]]:
    """Unpack a backup into an empty folder; return its manifest, and the path of each unpacked file.

    Raises ConfigurationError when it is not a backup, is damaged, or contains other files than its manifest lists.
    """
    files: dict[BackupItem, Path] = {}
    try:
        with (
            gzip.open(source) as stream,
            tarfile.open(fileobj=(bounded := _BoundedStream(stream)), mode="r|") as archive,
        ):
            entries = iter(archive)
            manifest = _manifest(source, archive, next(entries, None))
            listed = {item.member: item for item in manifest.items}
            for entry in entries:
                item = listed.pop(entry.name, None)
                if item is None or not entry.isreg() or entry.size != item.size:
                    raise ConfigurationError(f"{source} is damaged: {entry.name!r} in it does not match its manifest")
                packed = archive.extractfile(entry)
                assert packed is not None
                files[item] = folder / str(len(files))
                with files[item].open("xb") as target:
                    shutil.copyfileobj(packed, target)
            while bounded.read(io.DEFAULT_BUFFER_SIZE):  # read to the end, where gzip compares the checksum
                pass
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise ConfigurationError(f"{source} is not a backup, or is damaged") from error
    if listed:
        raise ConfigurationError(f"{source} is damaged: {next(iter(listed))!r} is missing in it")
    return manifest, files


def _manifest(source: Path, archive: tarfile.TarFile, first: tarfile.TarInfo | None) -> BackupManifest:
    """Return the manifest, the archive's first entry."""
    if first is None or first.name != MANIFEST_NAME or not first.isreg() or first.size > MAX_MANIFEST_BYTES:
        raise ConfigurationError(f"{source} is not a backup of a gateway")
    packed = archive.extractfile(first)
    assert packed is not None
    try:
        return BackupManifest.model_validate_json(packed.read())
    except ValidationError as error:
        first_error = error.errors(include_url=False)[0]
        if first_error["loc"] == ("format",):
            raise ConfigurationError(
                f"{source} was written by another release, in another format than {BACKUP_FORMAT}; use that release"
            ) from error
        raise ConfigurationError(f"{source} cannot be restored: {first_error['msg']}") from error


class _BoundedStream(io.RawIOBase):
    """A stream that fails after MAX_ARCHIVE_BYTES, because a few packed bytes can unpack to any number of bytes."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = MAX_ARCHIVE_BYTES

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes. Raises tarfile.ReadError beyond the bound."""
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.ReadError("too large")
        return data
