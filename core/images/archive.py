"""Read members of a zip archive without unpacking it: nothing is ever written to a path that it names."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from core.images.decode import MAX_FILE_BYTES, Unreadable
from core.images.name_encoding import Guess, encoding_of, guess_encoding, read_as

MAX_ENTRIES = 1_000_000
MAX_RATIO = 100  # images are compressed already; a zip that unpacks to a hundred times its size is a zip bomb
MAX_RATIO_FREE_BYTES = 1024**3  # bytes in all, up to which any ratio is harmless
LOCAL_HEADER_BYTES = 30
UTF8_FLAG = 0x800
UNICODE_PATH = 0x7075  # the extra field in which Info-ZIP and WinRAR keep a name in UTF-8
EMPTY_FOLDER = "is an empty folder: no class was made of it"
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


class Member(NamedTuple):
    """Where a member is stored: offset of its local header, sizes in bytes, method, checksum."""

    offset: int
    packed: int
    size: int
    method: int
    crc: int


class ArchiveRefused(ValueError):
    """The archive as a whole cannot be read; the message says why."""


class Contents(NamedTuple):
    """What an archive holds: readable members by name, in its order, and (name, reason) of all others.

    Args:
        notes: sentences about the names.
        guess: how names of unknown encoding were read; None when there are none.
    """

    members: list[tuple[str, Member]]
    problems: list[tuple[str, str]]
    notes: tuple[str, ...] = ()
    guess: Guess | None = None


def list_archive(path: Path, encoding: str | None = None) -> Contents:
    """List an archive without unpacking it.

    Args:
        encoding: of names that are not marked as UTF-8; default: UTF-8 where they are valid in it, else the
            likeliest.

    Raises:
        ArchiveRefused: it is not a zip archive, its names are not in `encoding`, it is too large, its
            compression ratio is too high, or it is encrypted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise ArchiveRefused(f"{path.name} is not a zip archive, or it is damaged ({error}).") from error
    entries = [entry for entry in listed if not entry.is_dir()]
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
    guess = _decode_names(listed, encoding)
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
    folders = [entry.filename for entry in listed if entry.is_dir()]
    used = (
        {name[: i + 1] for name in readable for i, sign in enumerate(name) if sign == "/"}
        if folders
        else set()
    )
    problems.extend((name.rstrip("/"), EMPTY_FOLDER) for name in folders if name not in used)
    notes = (*((guess.sentence,) if guess else ()), *_coinciding(listed))
    return Contents(list(readable.items()), problems, notes, guess)


def read_member(file: int, member: Member) -> bytes:
    """Read a member of the archive that is open as the file descriptor `file`.

    Raises Unreadable when it is damaged or larger than declared.
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


def _decode_names(entries: Sequence[zipfile.ZipInfo], encoding: str | None) -> Guess | None:
    """Correct the entries' names: zipfile reads every name that is not marked as UTF-8 as CP437.

    Returns how names of unknown encoding were read; None when there are none.
    """
    unmarked = []
    for entry in entries:
        if entry.flag_bits & UTF8_FLAG or entry.filename.isascii():
            continue
        name = _unicode_path(entry)
        if name is None:
            unmarked.append(entry)
        else:
            entry.filename = name
    if not unmarked:
        return None
    names = [_raw_name(entry) for entry in unmarked]
    if encoding is None:
        guess = guess_encoding(names)
    else:
        try:
            guess = read_as(names, encoding)
        except ValueError as error:
            raise ArchiveRefused(str(error)) from None
    for entry, raw in zip(unmarked, names, strict=True):
        entry.filename = raw.decode(encoding_of(raw, guess.encoding) if guess else "utf-8")
    return guess


def _raw_name(entry: zipfile.ZipInfo) -> bytes:
    """Return the bytes of the name of an entry that is not marked as UTF-8."""
    return entry.orig_filename.partition("\0")[0].encode("cp437")


def _unicode_path(entry: zipfile.ZipInfo) -> str | None:
    """Return the UTF-8 name that some packers add; None without one, or if it belongs to another name."""
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == UNICODE_PATH and size > 5:
            _, checksum = struct.unpack("<BL", extra[4:9])
            if checksum == zlib.crc32(entry.orig_filename.encode("cp437")):
                try:
                    return extra[9 : 4 + size].decode("utf-8")
                except UnicodeDecodeError:
                    return None
        extra = extra[4 + size :]
    return None


def _coinciding(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Return a sentence for each folder whose name occurs in several encodings."""
    spellings: defaultdict[str, set[bytes]] = defaultdict(set)
    for entry in entries:
        if not entry.filename.isascii():
            marked = entry.flag_bits & UTF8_FLAG
            raw = entry.orig_filename.encode("utf-8") if marked else entry.orig_filename.encode("cp437")
            spellings[entry.filename.rpartition("/")[0]].add(raw.rpartition(b"/")[0])
    return [
        f"The folder '{name}' is written in {len(raw)} encodings in the archive, and was read as one folder."
        for name, raw in spellings.items()
        if len(raw) > 1
    ]


def _refusal(entry: zipfile.ZipInfo, name: str) -> str:
    """Return why a member is not read; empty if it is."""
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
