"""Guess the encoding of the names in a zip archive that does not declare it.

A zip marks names as UTF-8 by a flag. Without it they are in the code page of the packing system: UTF-8 on
macOS, the system's code page on Windows. UTF-8 is recognised with certainty; a code page can only be guessed,
from all names together.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from core.system.text import shortened

# What Windows packs with: its OEM and ANSI code pages. chardet ranks them.
SINGLE_BYTE = (
    *("cp437", "cp850", "cp852", "cp857", "cp862", "cp866", "cp737", "cp775", "cp720", "cp874"),
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
)
# The bytes of each encoding's common characters: two-byte lead bytes, as ranges, and the first trail byte.
# What lies below 0x80 there may be a letter of other text.
COMMON_LEADS = {
    "gb18030": (range(0xB0, 0xD8),),  # GB 2312, level 1
    "big5": (range(0xA4, 0xC7),),  # level 1
    "cp932": (range(0x82, 0x84), range(0x88, 0x99)),  # kana and JIS X 0208, level 1
    "cp949": (range(0xB0, 0xC9),),  # the Hangul of KS X 1001
    "euc-jp": (range(0xA4, 0xA6), range(0xB0, 0xD0)),
}
FIRST_TRAIL = {"gb18030": 0xA1, "cp949": 0xA1, "euc-jp": 0xA1, "big5": 0x40, "cp932": 0x40}
# Of names that are UTF-8; others are so by chance, as Russian words in cp866 may be Mongolian letters.
SCRIPTS = frozenset(("LATIN", "COMBINING", "GREEK", "CYRILLIC", "ARABIC", "HEBREW", "THAI", "DEVANAGARI"))
EAST_ASIAN = frozenset(("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH", "HANGUL"))
ENCODINGS = (*COMMON_LEADS, *SINGLE_BYTE)
# Letters beyond ASCII of the languages that a Latin code page was made for. Two code pages that read the same
# bytes as letters of one language each, as cp1252 and cp1250 read `zèbre` and `zčbre`, stay to be told apart
# by how often letters follow each other.
_GERMAN, _NORDIC = "äöüß", ("æøåéóôü", "åäöéü")
_WESTERN = (
    *(_GERMAN, *_NORDIC, "áðéíóúýþæö", "äöõüšž"),
    *("àâæçéèêëîïôœùûüÿ", "áéíñóúü", "áâãàçéêíóôõúü", "àèéìíîòóùú", "àçèéíïòóúü", "éèëïóöüáêô"),
)
_CENTRAL = (
    *(_GERMAN, "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű"),
    *("ăâîşţșț", "čćđšž", "çë"),
)
_TURKISH, _BALTIC = ("çğıöşüâîû", _GERMAN), ("ąčęėįšųūž", "āčēģīķļņšūž", "äöõüšž", _GERMAN)
ALPHABETS: dict[str, tuple[frozenset[str], ...]] = {
    encoding: tuple(map(frozenset, alphabets))
    for encodings, alphabets in (
        (("cp437", "cp850", "cp1252"), _WESTERN),
        (("cp852", "cp1250"), _CENTRAL),
        (("cp857", "cp1254"), _TURKISH),
        (("cp775", "cp1257"), _BALTIC),
        (("cp1258",), ("ăâđêôơư\u0300\u0301\u0303\u0309\u0323",)),
    )
    for encoding in encodings
}
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
    """How names of undeclared encoding were read.

    Args:
        encoding: a Python codec.
        examples: a few of the names, as read.
        others: encodings that the names could also be in, each with the same examples, the likelier first.
        utf_8: a few names that are UTF-8 instead.
    """

    encoding: str
    examples: tuple[str, ...]
    others: tuple[tuple[str, tuple[str, ...]], ...]
    utf_8: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Describe the guess, with the other readings to compare."""
        others = "; ".join(f"{encoding}: {', '.join(examples)}" for encoding, examples in self.others[:3])
        return (
            f"The archive does not say how its names are encoded; they were read as {self.encoding}: "
            f"{', '.join(self.examples)}."
            + (f" Others are UTF-8: {', '.join(self.utf_8)}." if self.utf_8 else "")
            + (f" Other readings: {others}." if others else "")
        )


def guess_encoding(names: Sequence[bytes]) -> Guess | None:
    """Return the likeliest encoding of all names together that are not UTF-8; None when all are UTF-8."""
    unsure = [name for name in names if not _decodes(name, "utf-8")]
    if not unsure:
        return None
    best = _ranked(b"/".join(_parts(names)))[0]
    shown = b"/".join(_parts(names)).decode(best, "ignore")
    if not (_is_plausible(shown) and _is_common(shown, best)):  # then others may be UTF-8
        best = _ranked(b"/".join(_parts(unsure)))[0]
    parts = _parts([name for name in names if encoding_of(name, best) == best])
    ranked = _ranked(b"/".join(parts))
    ranked = [best, *(encoding for encoding in ranked if encoding != best)]
    examples = {encoding: _examples(parts, encoding) for encoding in ranked}
    different: dict[tuple[str, ...], str] = {}
    for encoding in ranked:
        different.setdefault(examples[encoding], encoding)
    others = tuple((encoding, found) for found, encoding in different.items() if encoding != best)
    return Guess(best, examples[best], others, _utf_8_examples(names, best))


def read_as(names: Sequence[bytes], encoding: str) -> Guess:
    """Read the names in an encoding that the user chose. Raises ValueError when they are not in it."""
    try:
        codec = codecs.lookup(encoding).name
        _decodes(b"a", codec)
    except LookupError:  # unknown, or no encoding of text, such as base64
        raise ValueError(
            f"There is no text encoding {shortened(encoding)}. Common ones: utf-8, {', '.join(ENCODINGS)}."
        ) from None
    own = _parts([name for name in names if encoding_of(name, codec) == codec])
    bad = next((part for part in own if not _decodes(part, codec)), None)
    if bad is not None:
        raise ValueError(
            f"The names in the archive are not in {encoding}: {shortened(bad)} cannot be read so."
        )
    guess = guess_encoding(names)
    others = () if guess is None else ((guess.encoding, guess.examples), *guess.others)
    examples = _examples(own, codec)
    others = tuple(other for other in others if other[1] != examples)
    return Guess(codec, examples, others, _utf_8_examples(names, codec))


def encoding_of(name: bytes, encoding: str) -> str:
    """Return the encoding of one name where most are in `encoding`: that, or "utf-8".

    An archive to which several systems have added may have both. Short names of other encodings are valid
    UTF-8 by
    chance: UTF-8 is chosen only if its text is plausible, and more plausible than that of `encoding`.
    """
    if not _decodes(name, "utf-8"):
        return encoding
    if not _decodes(name, encoding):
        return "utf-8"
    as_utf_8, otherwise = name.decode("utf-8"), name.decode(encoding)
    scripts = {_script(char) for char in as_utf_8 if unicodedata.category(char)[0] in "LM"}
    if not _is_plausible(as_utf_8) or not scripts <= SCRIPTS | EAST_ASIAN:
        return encoding
    if encoding in COMMON_LEADS and _is_plausible(otherwise):
        long = any(char >= "\u0800" for char in as_utf_8)  # of three bytes, hardly ever by chance
        return "utf-8" if long and not _is_common(otherwise, encoding) else encoding
    return "utf-8"


def _utf_8_examples(names: Sequence[bytes], encoding: str) -> tuple[str, ...]:
    if encoding == "utf-8":
        return ()
    return _examples(_parts([name for name in names if encoding_of(name, encoding) == "utf-8"]), "utf-8")


def _decodes(name: bytes, encoding: str) -> bool:
    try:
        name.decode(encoding)
    except UnicodeError:
        return False
    return True


def _parts(names: Iterable[bytes]) -> list[bytes]:
    """Return the folders and files that need an encoding, each once, folders first: they name the classes."""
    seen: dict[bytes, None] = {}
    files: dict[bytes, None] = {}
    for name in names:
        *folders, file = name.split(b"/")
        seen.update(dict.fromkeys(part for part in folders if not part.isascii()))
        if not file.isascii():
            files[file] = None
    return [*seen, *(file for file in files if file not in seen)]


def _ranked(text: bytes) -> list[str]:
    """Return the encodings that can decode the names, joined by slashes, the likeliest first.

    chardet scores the languages. It is trained on longer text, so three rules have priority for the few short
    words that class names are: implausible text (scripts mixed in a word, symbols) comes last; East Asian
    text that consists of common characters comes first, as other text hardly ever decodes to that; and of the
    Latin code pages those come first that give letters of one language.
    """
    import chardet

    sample = text[:SAMPLE_BYTES]
    scores: dict[str, float] = {}
    for found in chardet.detect_all(sample, ignore_threshold=True, include_encodings=ENCODINGS):
        if found["encoding"]:
            scores.setdefault(_codec(found["encoding"]), found["confidence"])
    usable = [encoding for encoding in ENCODINGS if _decodes(text, encoding)]

    def rank(encoding: str) -> tuple[bool, bool, int, bool, float]:
        shown = sample.decode(encoding, "ignore")
        return (
            not _is_plausible(shown),
            not _is_common(shown, encoding),
            sum(not _is_one_language(word, encoding) for word in re.split("[/ ]", shown)),
            not _is_one_language(shown, encoding),
            -scores.get(encoding, 0.0),
        )

    return sorted(usable, key=rank) or [FALLBACK]


def _codec(name: str) -> str:
    """Return the name in ENCODINGS for chardet's name."""
    known = codecs.lookup(name).name
    return TWINS.get(known, known)


def _is_common(text: str, encoding: str) -> bool:
    """Return whether the text has East Asian characters and all of them are common ones of the encoding."""
    leads = COMMON_LEADS.get(encoding)
    if leads is None:
        return False
    coded = [char.encode(encoding) for char in text if not char.isascii()]
    first = FIRST_TRAIL[encoding]
    if len(coded) > 1 and all(char[-1:].islower() for char in coded):  # as accented letters before others are
        return False
    return all(
        len(char) == 2 and char[1] >= first and any(char[0] in span for span in leads) for char in coded
    )


def _is_one_language(text: str, encoding: str) -> bool:
    """Return whether one language of a Latin code page has all letters; True for other code pages."""
    letters = {char for char in text.lower() if char.isalpha() and not char.isascii()}
    alphabets = ALPHABETS.get(encoding)
    return alphabets is None or any(letters <= alphabet for alphabet in alphabets)


def _is_plausible(text: str) -> bool:
    """Return whether the text is plausible: only letters, no mixed scripts, no capital inside a word.

    East Asian text may have Latin letters in a word (`A級`), but hardly small ones next to its characters:
    that is a Latin word whose accented letter was read together with the letter after it.
    """
    for word in text.replace("/", " ").split(" "):
        if any(_is_strange(char) for char in word if not char.isascii()):
            return False
        scripts = {_script(char) for char in word if unicodedata.category(char)[0] in "LM"}
        if len(scripts - EAST_ASIAN - {"COMBINING"}) > 1:
            return False
        if any(_is_small_beside_east_asian(*pair) for pair in pairwise(word)):
            return False
        if any(a.islower() and b.isupper() and not b.isascii() for a, b in pairwise(word)):
            return False
    return True


def _is_strange(char: str) -> bool:
    """Return whether a character beyond ASCII is unlikely in a name: a symbol, or European punctuation."""
    category = unicodedata.category(char)
    return category in SYMBOLS or (char < "\u2100" and category[0] not in "LM")


def _is_small_beside_east_asian(one: str, other: str) -> bool:
    small, east = (one, other) if one.islower() else (other, one)
    return small.islower() and not east.isascii() and east.isalpha() and _script(east) in EAST_ASIAN


def _script(char: str) -> str:
    return unicodedata.name(char, "UNNAMED").split()[0]


def _examples(parts: Sequence[bytes], encoding: str) -> tuple[str, ...]:
    return tuple(part.decode(encoding, "replace") for part in parts[:EXAMPLES])
