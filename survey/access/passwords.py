"""Which passwords are taken, by NIST SP 800-63B (section "Passwords"): long enough, not a common one, nothing else asked.

No rule about digits or capitals and no expiry: both make people choose worse ones. Two judges refuse a common one:

- what is left when everything that people here try is taken out (common words, the names of this survey and account,
  years, runs on the keyboard, repetitions): whole lists miss "matkhau123456789", which is longer than what they hold;
- zxcvbn, with its lists of tens of thousands of common passwords, words and names, and paths on the keyboard (Wheeler,
  "zxcvbn: low-budget password strength estimation", USENIX Security 2016): fewer than `GUESSES` guesses find it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal

from survey.problems import Text

ALONE, WITH_SECOND_STEP, MOST = 15, 12, 256
"""Characters: where the password is all there is, where a second step follows (NIST asks for 8), and at most."""
LEFT = 5
"""Characters that must remain when what everybody tries is taken out."""
GUESSES = 10**10
"""So many guesses must be needed: a stolen hash (argon2id, tens of guesses a second) withstands them for years."""
JUDGED = 64
"""Characters that zxcvbn looks at: its time grows with the cube, and 64 are enough to be strong."""

COMMON = tuple(
    # English, Vietnamese (without marks, as they are typed), names, places; the longest first, so that "password" goes
    # before "pass".
    sorted(
        [
            "password",
            "passphrase",
            "passwort",
            "passw0rd",
            "p@ssw0rd",
            "p@ssword",
            "pass",
            "letmein",
            "welcome",
            "administrator",
            "admin",
            "root",
            "user",
            "guest",
            "login",
            "master",
            "superman",
            "batman",
            "dragon",
            "monkey",
            "football",
            "baseball",
            "princess",
            "sunshine",
            "shadow",
            "michael",
            "jordan",
            "iloveyou",
            "loveyou",
            "love",
            "baby",
            "angel",
            "flower",
            "hello",
            "freedom",
            "whatever",
            "trustno",
            "secret",
            "default",
            "changeme",
            "computer",
            "internet",
            "samsung",
            "iphone",
            "apple",
            "google",
            "facebook",
            "zalo",
            "tiktok",
            "youtube",
            "pokemon",
            "naruto",
            "liverpool",
            "arsenal",
            "chelsea",
            "manchester",
            "barcelona",
            "matkhau",
            "matkhaumoi",
            "macdinh",
            "khongbiet",
            "khongco",
            "anhyeuem",
            "emyeuanh",
            "yeuem",
            "yeuanh",
            "iuem",
            "vochong",
            "giadinh",
            "hanhphuc",
            "contrai",
            "congai",
            "bexinh",
            "conyeu",
            "meyeu",
            "boyeu",
            "tinhyeu",
            "maimai",
            "motminh",
            "saigon",
            "hanoi",
            "hochiminh",
            "haiphong",
            "haiduong",
            "danang",
            "vietnam",
            "vietnamvodich",
            "thanhpho",
            "quequan",
            "nguyen",
            "tranvan",
            "nguyenvan",
            "nguyenthi",
            "hoang",
            "tuan",
            "hung",
            "dung",
            "minh",
            "linh",
            "huong",
            "thanh",
            "trang",
            "phuong",
            "thao",
            "tung",
            "quang",
            "khanh",
            "khaosat",
            "thongke",
            "dieutra",
            "canbo",
            "uyban",
            "survey",
            "statistics",
            "official",
            "abc",
            "xyz",
            "qwerty",
            "azerty",
            "asdf",
            "zxcv",
            "test",
            "demo",
            "temp",
        ],
        key=len,
        reverse=True,
    )
)
_ROWS = (
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "abcdefghijklmnopqrstuvwxyz",
    "qazwsxedcrfvtgbyhnujmikolp",
)
RUN = 4  # neighbours in one of these rows, in either direction, that make a run

Weakness = Literal["short", "long", "common"]
REFUSED: Mapping[Weakness, Text] = {
    "short": {
        "vi": f"Mật khẩu phải có ít nhất {ALONE} ký tự ({WITH_SECOND_STEP} nếu có bước đăng nhập thứ hai). "
        "Nên dùng một câu dễ nhớ.",
        "en": f"The password must have at least {ALONE} characters ({WITH_SECOND_STEP} where a second "
        "step follows). A sentence that is easy to remember is best.",
    },
    "long": {
        "vi": f"Mật khẩu dài nhất {MOST} ký tự.",
        "en": f"The password may have at most {MOST} characters.",
    },
    "common": {
        "vi": "Mật khẩu này dễ đoán: chỉ gồm từ, tên, năm hay dãy phím mà ai cũng thử. Hãy chọn một câu khác.",
        "en": "This password is easy to guess: nothing but words, names, years or runs of keys that everybody tries. "
        "Choose another sentence.",
    },
}


def made(random_bytes: bytes) -> str:
    """Sixteen characters that are easy to read aloud and to type on a phone (79 bits), from at least 16 random bytes."""
    alphabet = "23456789abcdefghjkmnpqrstuvwxyz"
    if len(random_bytes) < 16:
        raise ValueError("a password needs at least 16 random bytes")
    number, letters = int.from_bytes(random_bytes, "big"), []
    for _ in range(16):
        number, place = divmod(number, len(alphabet))
        letters.append(alphabet[place])
    return "-".join("".join(letters[start : start + 4]) for start in range(0, 16, 4))


def prepared(text: str) -> str:
    """The password as it is hashed and compared: the same from every keyboard (Unicode NFKC)."""
    return unicodedata.normalize("NFKC", text)


def weakness(password: str, context: Iterable[str] = (), *, second_step: bool = False) -> Weakness | None:
    """Why this password is not taken, or None. `context`: the account's name and words of the survey."""
    text = prepared(password)
    if len(text) < (WITH_SECOND_STEP if second_step else ALONE):
        return "short"
    if len(text) > MOST:
        return "long"
    known = tuple(context)
    return "common" if len(_rest(text, known)) < LEFT or _guesses(text, known) < GUESSES else None


def _guesses(text: str, context: Iterable[str]) -> int:
    """How many guesses find the beginning of this password, by somebody who knows its context."""
    from zxcvbn import zxcvbn  # loads its lists: not for whoever only reads this table of words

    known = (*COMMON, *(_plain(one) for one in context))
    return int(zxcvbn(_bare(text[:JUDGED]), user_inputs=known)["guesses"])


def _rest(text: str, context: Iterable[str]) -> str:
    """What remains when everything that others would try is taken out."""
    plain = _plain(text)
    for word in (*(part for one in context if len(part := _plain(one)) > 2), *COMMON):
        plain = plain.replace(word, " ")
    plain = re.sub(r"(19|20)\d\d|\d{1,2}(?=(19|20)\d\d)", " ", plain)
    for row in _ROWS:
        for length in range(len(row), RUN - 1, -1):
            for start in range(len(row) - length + 1):
                run = row[start : start + length]
                plain = plain.replace(run, " ").replace(run[::-1], " ")
    plain = re.sub(r"(.{1,4}?)\1+", r"\1", plain.replace(" ", ""))  # aaaa, abab
    return "".join(dict.fromkeys(plain))


def _plain(text: str) -> str:
    """Lower case, without tone marks and separators."""
    return "".join(letter for letter in _bare(text.casefold()) if letter.isalnum() or letter in "@$!")


def _bare(text: str) -> str:
    """Without tone marks, as everybody types who tries."""
    bare = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in bare if not unicodedata.combining(letter))
