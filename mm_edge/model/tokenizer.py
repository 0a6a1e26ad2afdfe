"""Words, and letters for words that were never seen: text to ids and back.

Requests may hold anything, so an unknown word is spelled; answers use whole words only. Names and numbers of the log
stand as marks, "@3" and "=42" (model/events.py). Knows nothing about the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

EOS, MASK, STYLE = 0, 1, 2
SPECIAL = ("<eos>", "<mask>", "<style>")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789'?"
UNASKED = ("<silent>", "<alert:")
MARKS = ("@", "=")
_TOKEN = re.compile(r"<[\w:]+>|\{\w+\}|[@=]\d+|[\w']+|[.,?!]")


class Tokenizer:
    """`spoken`: the words of answers; `heard`: those that only requests may hold. Their order fixes the ids, which
    follow SPECIAL, then letters as "#a", then `heard`, then `spoken`, its marks last. `sentences`: all that there are
    to say, with their topics, "@0" and "=0" for any mark; none: anything goes."""

    def __init__(self, spoken: Iterable[str], heard: Iterable[str] = (), sentences: Iterable[str] = ()) -> None:
        said = tuple(spoken)
        marks = tuple(word for word in said if word.startswith(MARKS))
        self.spoken = (*(word for word in said if word not in set(marks)), *marks)
        self.heard, self.sentences = tuple(heard), tuple(sentences)
        self.tokens = (*SPECIAL, *(f"#{letter}" for letter in LETTERS), *self.heard, *self.spoken)
        self.first_spoken = len(self.tokens) - len(self.spoken)
        """The smallest id of a spoken word: of what lies below, an answer may hold EOS only."""
        self.sayable = np.array([EOS, *range(self.first_spoken, len(self.tokens))])
        """The ids that an answer may hold, in the order in which engines score them."""
        self._ids = {token: index for index, token in enumerate(self.tokens)}
        self.marks = [index for token, index in self._ids.items() if token.startswith(MARKS)]
        self.mark_set = frozenset(self.marks)
        self.names = [index for index in self.marks if self.tokens[index].startswith("@")]
        self._any = {index: self._ids[f"{self.tokens[index][0]}0"] for index in self.marks}
        self.language = {tuple(self._whole(sentence)) for sentence in self.sentences}
        self.topics = [index for token, index in self._ids.items() if token.startswith("<") and token not in SPECIAL]
        self.unasked = [index for token, index in self._ids.items() if token.startswith(UNASKED)]
        """The topics that are no answer to a request."""

    def __len__(self) -> int:
        return len(self.tokens)

    def places(self, ids: Iterable[int]) -> list[int]:
        """Where `sayable` holds these ids, as far as it does."""
        before = self.first_spoken - 1
        return [max(EOS, index - before) for index in ids if index == EOS or index > before]

    def id(self, word: str) -> int | None:
        """The id of a whole word, None when it is not known."""
        return self._ids.get(word)

    def request(self, text: str, limit: int) -> list[int]:
        """The ids of a request's first `limit` tokens; a word without any known character becomes a question mark."""
        ids: list[int] = []
        for word in _TOKEN.findall(text.lower()):
            spelled = [self._ids[f"#{letter}"] for letter in word if f"#{letter}" in self._ids]
            whole = word in self._ids and word not in SPECIAL
            ids.extend([self._ids[word]] if whole else spelled or [self._ids["#?"]])
            if len(ids) >= limit:
                break
        return ids[:limit]

    def sentence(self, text: str, length: int) -> list[int]:
        """The ids of an answer, filled up with EOS. Raises ValueError for an unknown word or too many tokens."""
        ids = self._whole(text)
        if len(ids) >= length:
            raise ValueError(f"cannot write {text!r} in {length} tokens")
        return ids + [EOS] * (length - len(ids))

    def claims(self, text: str, length: int) -> list[int]:
        """The ids of what an answer states, filled up with EOS. Raises ValueError for an unknown word or too many."""
        ids = self._whole(text)
        if len(ids) > length:
            raise ValueError(f"cannot state {text!r} in {length} tokens")
        return ids + [EOS] * (length - len(ids))

    def is_sentence(self, ids: Sequence[int]) -> bool:
        """Whether an answer is, up to its end, a sentence of the language."""
        pattern = tuple(self._any.get(index, index) for index in self._until_end(ids))
        return not self.language or pattern in self.language

    def log(self, words: Iterable[str]) -> list[int]:
        """The ids of a log's words. Raises ValueError for an unknown one."""
        return self._whole(" ".join(words))

    def topic(self, ids: Sequence[int]) -> str:
        """The topic in an answer's first token, without its brackets; "" when there is none."""
        first = self.tokens[ids[0]] if ids else ""
        return first[1:-1] if first.startswith("<") and first not in SPECIAL else ""

    def text(self, ids: Sequence[int]) -> str:
        """An answer in plain writing, up to its end, without its topic."""
        words = [self.tokens[index] for index in self._until_end(ids)]
        spaced = " ".join(word for word in words if not word.startswith("<"))
        joined = re.sub(r" ([.,?!])", r"\1", spaced)
        joined = re.sub(r"\bi\b", "I", joined)
        return re.sub(r"(?:^|(?<=[.?!] ))[a-z]", lambda first: first[0].upper(), joined)

    def _whole(self, text: str) -> list[int]:
        tokens = _TOKEN.findall(text.lower())
        unknown = [token for token in tokens if token not in self._ids]
        if unknown:
            raise ValueError(f"cannot write {text!r} (unknown: {unknown})")
        return [self._ids[token] for token in tokens]

    def _until_end(self, ids: Sequence[int]) -> Sequence[int]:
        return ids[: list(ids).index(EOS)] if EOS in ids else ids
