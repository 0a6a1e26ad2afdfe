"""What the words of a request hint at, whatever their order: a linear model on pieces of the text, beside the trunk.

Wide and deep (Cheng et al. 2016): a network that learnt from some hundred texts of a kind is sure of itself, and wrong,
where a new one says the same in other words; a linear model on their pieces generalises better, but knows no order and
no names. The two add up their scores. Pieces are hashed words, pairs of neighbours and parts of words (Joulin et al.
2017, "Bag of tricks for efficient text classification", section 2.3), the rarer the weightier (inverse document
frequency: Spärck Jones 1972); names and numbers of the log are marks, all alike.
"""

from __future__ import annotations

import re
from functools import lru_cache
from zlib import crc32

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_edge.model.tokenizer import EOS, MASK

PIECES = 8192
MOST = 192
"""Pieces of a text that count: some 24 words."""
PART = 4
"""Letters of a part of a word."""
SURE = 8.0
"""A topic whose score by hints alone is so much higher than any other's needs no reading; what that loses is measured
by `mm-edge bench model` (skimmed_loss_points)."""
KIND_GAIN = 30.0
"""How much likelier a topic that only hints tell makes the kind of line that it is found by than anything else."""
_WORD = re.compile(r"[a-z']+|[@=]")


class Hints(nn.Module):
    """weight [PIECES + 1, topics] and rarity [PIECES + 1]: of a piece, the last one, which is only filling, 0; bias
    [topics]; ids [topics]: the words that the topics are; kinds [topics]: the kind of line that each is found by, EOS
    where there is none, or the request says it; named [topics]: whether requests name what it is found by. Fitted by
    mm_edge/training/hints.py, all 0 until then: no hints."""

    weight: Tensor
    rarity: Tensor
    bias: Tensor
    ids: Tensor
    kinds: Tensor
    named: Tensor

    def __init__(self, vocabulary: int, topics: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.register_buffer("weight", torch.zeros(PIECES + 1, topics))
        self.register_buffer("rarity", torch.zeros(PIECES + 1))
        self.register_buffer("bias", torch.zeros(topics))
        self.register_buffer("ids", torch.full((topics,), EOS))
        self.register_buffer("kinds", torch.full((topics,), EOS))
        self.register_buffer("named", torch.zeros(topics, dtype=torch.bool))

    def forward(self, asked: Tensor, pieces: Tensor) -> Tensor:
        """asked: logits [B, ASKED, V] of a topic and of what the answer is found by; pieces: [B, MOST], as `pieces`
        gives them -> the same with hints. A text without pieces gets none."""
        score = self._score(pieces)
        topic = asked[:, 0] + score @ F.one_hot(self.ids, self.vocabulary).to(score)
        turned = topic.argmax(-1, keepdim=True) != asked[:, 0].argmax(-1, keepdim=True)
        chance = topic.softmax(-1)[:, self.ids] * (self.kinds != EOS) * turned
        kind = chance @ F.one_hot(self.kinds, self.vocabulary).to(score)
        return torch.stack([topic, asked[:, 1] + KIND_GAIN * kind], 1)

    def skim(self, pieces: Tensor, name: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is asked, by hints alone: the scores of the two likeliest topics [B, 2], if there are two, their words,
        and by which word the answer to the first is found [B], MASK where hints cannot tell. name: [B], the only name
        in a request, EOS where there is none."""
        best, topics = self._score(pieces).topk(min(2, len(self.ids)))
        first, unnamed = topics[:, 0], torch.where(self.named & (self.kinds == EOS), MASK, self.kinds)
        named = torch.where(self.named[first], name, MASK)
        return best, self.ids[topics], torch.where(name != EOS, named, unnamed[first])

    def _score(self, pieces: Tensor) -> Tensor:
        """Of each topic [B, topics]; 0 for a text without pieces."""
        rarity = F.embedding(pieces, self.rarity[:, None])
        length = rarity.square().sum(1).sqrt()
        return (rarity * F.embedding(pieces, self.weight)).sum(1) / length.clamp(min=1) + self.bias * (length > 0)


def pieces(text: str) -> Tensor:
    """Of a text [1, MOST], filled up."""
    found = numbers(text)
    return torch.tensor([found + [PIECES] * (MOST - len(found))])


def numbers(text: str) -> list[int]:
    """Of a text's pieces, each once, in the order of the text; at most MOST."""
    words = _WORD.findall(text.lower())
    found = []
    for earlier, word in zip(["<", *words], words, strict=False):
        found += [_number(f"{earlier} {word}"), *_own(word)]
    found += [_number(f"{word} >") for word in words[-1:]]
    return [*dict.fromkeys(found)][:MOST]


@lru_cache(maxsize=4096)
def _own(word: str) -> tuple[int, ...]:
    """The pieces of a word by itself."""
    spelled = f"<{word}>"
    return (_number(word), *(_number(f"#{spelled[at : at + PART]}") for at in range(len(spelled) - PART + 1)))


def _number(piece: str) -> int:
    return crc32(piece.encode()) % PIECES
