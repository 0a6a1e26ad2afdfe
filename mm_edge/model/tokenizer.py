"""Words, and letters for words that were never seen: text to ids and back.

Requests may hold anything, so an unknown word is spelled; answers use whole words only. Knows nothing about the
network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

EOS, MASK, STYLE = 0, 1, 2
SPECIAL = ("<eos>", "<mask>", "<style>")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789'?"
_TOKEN = re.compile(r"<[\w:]+>|\{\w+\}|[\w']+|[.,?!]")


class Tokenizer:
    """`words`: the whole words, in a fixed order; ids follow SPECIAL, then letters as "#a", then words."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)
        self.first_word = len(SPECIAL) + len(LETTERS)
        """The smallest id of a whole word: of what lies below, an answer may hold EOS only."""
        self._tokens = (*SPECIAL, *(f"#{letter}" for letter in LETTERS), *self.words)
        self._ids = {token: index for index, token in enumerate(self._tokens)}

    def __len__(self) -> int:
        return len(self._tokens)

    def id(self, word: str) -> int | None:
        """The id of a whole word, None when it is not known."""
        return self._ids.get(word)

    def request(self, text: str, limit: int) -> list[int]:
        """The ids of a request's first `limit` tokens; unknown characters are left out."""
        ids: list[int] = []
        for word in _TOKEN.findall(text.lower()):
            spelled = (self._ids[f"#{letter}"] for letter in word if f"#{letter}" in self._ids)
            ids.extend([self._ids[word]] if word in self._ids else spelled)
            if len(ids) >= limit:
                break
        return ids[:limit]

    def sentence(self, text: str, length: int) -> list[int]:
        """The ids of an answer, filled up with EOS. Raises ValueError for an unknown word or too many tokens."""
        tokens = _TOKEN.findall(text.lower())
        unknown = [token for token in tokens if token not in self._ids]
        if unknown or len(tokens) >= length:
            raise ValueError(f"cannot write {text!r} in {length} tokens (unknown: {unknown})")
        ids = [self._ids[token] for token in tokens]
        return ids + [EOS] * (length - len(ids))

    def topic(self, ids: Sequence[int]) -> str:
        """The topic in an answer's first token, without its brackets; "" when there is none."""
        first = self._tokens[ids[0]] if ids else ""
        return first[1:-1] if first.startswith("<") and first not in SPECIAL else ""

    def text(self, ids: Sequence[int]) -> str:
        """An answer in plain writing, up to its end, without its topic."""
        words = [self._tokens[index] for index in self._until_end(ids)]
        spaced = " ".join(word for word in words if not word.startswith("<"))
        joined = re.sub(r" ([.,?!])", r"\1", spaced)
        joined = re.sub(r"\bi\b", "I", joined)
        return joined[:1].upper() + joined[1:]

    def _until_end(self, ids: Sequence[int]) -> Sequence[int]:
        return ids[: list(ids).index(EOS)] if EOS in ids else ids
