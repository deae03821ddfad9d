"""Reading members of a zip archive without unpacking it: nothing in it is ever written to a path it names."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from core.datasets.decode import MAX_FILE_BYTES, Unreadable

MAX_ENTRIES = 1_000_000
MAX_RATIO = 100  # pictures are compressed already; a zip that unpacks to a hundred times its size is a bomb
MAX_RATIO_FREE_BYTES = 1024**3  # up to so many bytes in all, any ratio is harmless
LOCAL_HEADER_BYTES = 30
EMPTY_FOLDER = "is an empty folder: no class was made of it"
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


class Member(NamedTuple):
    """Where a member lies: offset of its local header, sizes in bytes, method, checksum."""

    offset: int
    packed: int
    size: int
    method: int
    crc: int


class ArchiveRefused(ValueError):
    """The archive as a whole is not read; the message says why."""


def list_archive(path: Path) -> tuple[list[tuple[str, Member]], list[tuple[str, str]]]:
    """All readable members by name, in the archive's order, and (name, reason) of those that are not read.

    Raises ArchiveRefused when it is no zip archive, or one that is too large, packed to explode or encrypted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            folders = [entry.filename for entry in archive.infolist() if entry.is_dir()]
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise ArchiveRefused(f"{path.name} is not a zip archive, or it is damaged ({error}).") from error
    if len(entries) > MAX_ENTRIES:
        raise ArchiveRefused(
            f"{path.name} has {len(entries):,} entries; at most {MAX_ENTRIES:,} are read from an archive. "
            "Unpack it and import the folder."
        )
    total, packed = sum(entry.file_size for entry in entries), path.stat().st_size
    if total > MAX_RATIO_FREE_BYTES and total > MAX_RATIO * packed:
        raise ArchiveRefused(
            f"{path.name} would unpack to {total / packed:,.0f} times its size; "
            f"at most {MAX_RATIO} times is read."
        )
    if entries and all(entry.flag_bits & 1 for entry in entries):
        raise ArchiveRefused(f"{path.name} is encrypted. Import it without a password.")
    readable: dict[str, Member] = {}
    problems: list[tuple[str, str]] = []
    for entry in entries:
        name = entry.filename.replace("\\", "/")  # some packers on Windows write backslashes
        reason = _refusal(entry, name) or ("occurs twice in the archive" if name in readable else "")
        if reason:
            problems.append((name, reason))
        else:
            readable[name] = Member(
                entry.header_offset, entry.compress_size, entry.file_size, entry.compress_type, entry.CRC
            )
    used = (
        {name[: i + 1] for name in readable for i, sign in enumerate(name) if sign == "/"}
        if folders
        else set()
    )
    problems.extend((name.rstrip("/"), EMPTY_FOLDER) for name in folders if name not in used)
    return list(readable.items()), problems


def read_member(file: int, member: Member) -> bytes:
    """The bytes of a member of the archive open as file descriptor `file`.

    Raises Unreadable when it is damaged or larger than it says.
    """
    header = os.pread(file, LOCAL_HEADER_BYTES, member.offset)
    if header[:4] != b"PK\x03\x04" or len(header) < LOCAL_HEADER_BYTES:
        raise Unreadable("is damaged in the archive (no local header)")
    names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    data = os.pread(file, member.packed, member.offset + LOCAL_HEADER_BYTES + names)
    if member.method == DEFLATED:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, member.size + 1)
        except zlib.error as error:
            raise Unreadable(f"is damaged in the archive ({error})") from error
    if len(data) != member.size or zlib.crc32(data) != member.crc:
        raise Unreadable("is damaged in the archive (size or checksum differ)")
    return data


def _refusal(entry: zipfile.ZipInfo, name: str) -> str:
    """Why a member is not read; empty when it is."""
    steps = name.split("/")
    if name.startswith("/") or ":" in steps[0] or ".." in steps:
        return "has a path that leads out of the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.compress_type not in (STORED, DEFLATED):
        return f"is packed by method {entry.compress_type}; stored and deflated members are read"
    if entry.file_size > MAX_FILE_BYTES or entry.compress_size > MAX_FILE_BYTES:
        return f"has {entry.file_size:,} bytes; at most {MAX_FILE_BYTES:,} are read"
    return ""
