"""Which encoding the names in a zip archive are written in, where the archive does not say.

A zip marks names as UTF-8 by a flag. Without it they are in whatever code page the packing system used: UTF-8
on macOS, the system's code page on Windows. UTF-8 is recognised with certainty; a code page can only be
guessed, from all names together.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

# What Windows packs with: its OEM and ANSI code pages. chardet ranks them.
SINGLE_BYTE = (
    *("cp437", "cp850", "cp852", "cp857", "cp862", "cp866", "cp737", "cp775", "cp720", "cp874"),
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
)
# The bytes of each encoding's common characters: two-byte lead bytes, as ranges.
COMMON_LEADS = {
    "gb18030": (range(0xB0, 0xD8),),  # GB 2312, level 1
    "big5": (range(0xA4, 0xC7),),  # level 1
    "cp932": (range(0x82, 0x84), range(0x88, 0x99)),  # kana and JIS X 0208, level 1
    "cp949": (range(0xB0, 0xC9),),  # the Hangul of KS X 1001
    "euc-jp": (range(0xA4, 0xA6), range(0xB0, 0xD0)),
}
ENCODINGS = (*COMMON_LEADS, *SINGLE_BYTE)
TWINS = {
    "euc_kr": "cp949",
    "euc_jp": "euc-jp",
    "euc_jis_2004": "euc-jp",
    "shift_jis": "cp932",
    "big5hkscs": "big5",
}
FALLBACK = "cp437"  # the encoding that the zip specification names
SAMPLE_BYTES = 16 * 1024
SYMBOLS = ("So", "Sm", "Sk", "Sc", "Cc", "Cf", "Cn", "Co", "Cs")
EXAMPLES = 3


class Guess(NamedTuple):
    """How names were read that do not say their encoding.

    encoding: a Python codec. examples: a few of the names, as read. others: encodings that the names could
    also be in, each with the same examples, the likelier first.
    """

    encoding: str
    examples: tuple[str, ...]
    others: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def sentence(self) -> str:
        """What a person should know, with the other readings to compare."""
        others = "; ".join(f"{encoding}: {', '.join(examples)}" for encoding, examples in self.others[:3])
        return (
            f"The archive does not say how its names are encoded; they were read as {self.encoding}: "
            f"{', '.join(self.examples)}." + (f" Other readings: {others}." if others else "")
        )


def guess_encoding(names: Sequence[bytes]) -> Guess | None:
    """The likeliest encoding of all the names together; None when all are UTF-8."""
    parts = _parts(names)
    if _decodes(b"/".join(parts), "utf-8"):
        return None
    ranked = _ranked(b"/".join(parts))
    examples = {encoding: _examples(parts, encoding) for encoding in ranked}
    different: dict[tuple[str, ...], str] = {}
    for encoding in ranked:
        different.setdefault(examples[encoding], encoding)
    best, *others = different.values()
    return Guess(best, examples[best], tuple((encoding, examples[encoding]) for encoding in others))


def read_as(names: Sequence[bytes], encoding: str) -> Guess:
    """Read the names in an encoding that a person chose. Raises ValueError when they are not in it."""
    try:
        codec = codecs.lookup(encoding)
        bad = next((part for part in _parts(names) if not _decodes(part, codec.name)), None)
    except LookupError:  # unknown, or no encoding of text, such as base64
        raise ValueError(
            f"There is no text encoding {encoding!r}. Common ones: utf-8, {', '.join(ENCODINGS)}."
        ) from None
    if bad is not None:
        raise ValueError(f"The names in the archive are not in {encoding}: {bad!r} cannot be read so.")
    guess = guess_encoding(names)
    others = () if guess is None else ((guess.encoding, guess.examples), *guess.others)
    examples = _examples(_parts(names), codec.name)
    return Guess(codec.name, examples, tuple(other for other in others if other[1] != examples))


def _decodes(name: bytes, encoding: str) -> bool:
    try:
        name.decode(encoding)
    except UnicodeError:
        return False
    return True


def _parts(names: Iterable[bytes]) -> list[bytes]:
    """The folders and files that need an encoding, each once, folders first: classes are named by them."""
    seen: dict[bytes, None] = {}
    files: dict[bytes, None] = {}
    for name in names:
        *folders, file = name.split(b"/")
        seen.update(dict.fromkeys(part for part in folders if not part.isascii()))
        if not file.isascii():
            files[file] = None
    return [*seen, *(file for file in files if file not in seen)]


def _ranked(text: bytes) -> list[str]:
    """Encodings that the names, joined by slashes, decode in, the likeliest first.

    chardet scores the languages. It is trained on longer text, so two rules go before its score for the few
    short words that class names are: text that nobody would write (scripts mixed in a word, symbols) comes
    last, and East Asian text of common characters alone comes first, as other text hardly ever decodes to
    that.
    """
    import chardet

    sample = text[:SAMPLE_BYTES]
    scores: dict[str, float] = {}
    for found in chardet.detect_all(sample, ignore_threshold=True, include_encodings=ENCODINGS):
        if found["encoding"]:
            scores.setdefault(_codec(found["encoding"]), found["confidence"])
    usable = [encoding for encoding in ENCODINGS if _decodes(text, encoding)]

    def rank(encoding: str) -> tuple[bool, bool, float]:
        shown = sample.decode(encoding, "ignore")
        return not _is_plausible(shown), not _is_common(shown, encoding), -scores.get(encoding, 0.0)

    return sorted(usable, key=rank) or [FALLBACK]


def _codec(name: str) -> str:
    """The name of ENCODINGS for what chardet calls it."""
    known = codecs.lookup(name).name
    return TWINS.get(known, known)


def _is_common(text: str, encoding: str) -> bool:
    """Whether the text has East Asian characters and all of them are common ones of the encoding."""
    leads = COMMON_LEADS.get(encoding)
    if leads is None:
        return False
    coded = [char.encode(encoding) for char in text if not char.isascii()]
    return all(len(char) == 2 and any(char[0] in span for span in leads) for char in coded)


def _is_plausible(text: str) -> bool:
    """Whether somebody may have written this: no symbols, no mixed scripts, no capital inside a word."""
    for word in text.replace("/", " ").split():
        letters = [char for char in word if not char.isascii()]
        if any(unicodedata.category(char) in SYMBOLS for char in letters):
            return False
        scripts = {_script(char) for char in word if char.isalpha()}
        if len(scripts - {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"}) > 1:
            return False
        if any(a.islower() and b.isupper() and not b.isascii() for a, b in pairwise(word)):
            return False
    return True


def _script(char: str) -> str:
    return unicodedata.name(char, "UNNAMED").split()[0]


def _examples(parts: Sequence[bytes], encoding: str) -> tuple[str, ...]:
    return tuple(part.decode(encoding, "replace") for part in parts[:EXAMPLES])
