"""The sentences that the first model can say: written from facts, and parsed back into them.

Every sentence begins with its topic in angle brackets. `[name]` in a template stands for a fact's value in words,
`{name}` for a number that is filled in later from the vehicle's signals. Facts may also be marks, "@3" or "=42", which
stand for names and numbers of the log. But for those the language is finite: its sentences are listed once, with "@0"
and "=0" for any mark, and parsing is looking one up. Knows nothing about drives or models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from mm_edge.model.events import EVENTS, MARKS, NAMES, NUMBERS
from mm_edge.model.schema import SCENE_FACTS
from mm_edge.world.sentences_now import NOW
from mm_edge.world.sentences_past import PAST
from mm_edge.world.sentences_told import TOLD
from mm_edge.world.template import ANY, WORDS, Template


@dataclass(frozen=True)
class Facts:
    """What a sentence states about its topic."""

    topic: str
    values: tuple[tuple[str, str], ...]


TEMPLATES = [*NOW, *PAST, *TOLD]
_VALUES = {
    **{fact: [v for v in values if v != "none"] for fact, values in SCENE_FACTS.items()},
    "gear": ["park", "reverse", "neutral", "drive"],
    "event": [*EVENTS],
    "name": ["@0"],
    **{name: ["=0"] for name in ("number", "hour", "minute", "since", "until", "km", "min")},
}
_MARK, _SPOKEN = re.compile(r"[@=]\d+"), re.compile(r"\[(\w+)\]")
TOPICS = tuple(dict.fromkeys(template.topic for template in TEMPLATES))
_ABOUT = {topic: [template for template in TEMPLATES if template.topic == topic] for topic in TOPICS}


def write(topic: str, facts: dict[str, str], style: int) -> str:
    """The sentence that states `facts` in one of the styles 1 to STYLES. Raises KeyError when there is none."""
    texts = _find(topic, tuple((name, _any_mark(value)) for name, value in facts.items())).texts
    return _said(topic, texts[(style - 1) % len(texts)], facts)


def parse(sentence: str) -> Facts | None:
    """What a sentence, with its topic in front and its slots unfilled, states; None outside the language."""
    pattern = _sentences().get(_any_mark(sentence))
    if pattern is None:
        return None
    spoken = dict(zip(pattern.spoken, _MARK.findall(sentence), strict=True))
    return Facts(pattern.topic, tuple((name, spoken.get(name, value)) for name, value in pattern.values))


def facts_of(topic: str, facts: dict[str, str]) -> Facts:
    return Facts(topic, tuple(sorted(facts.items())))


def draw(rng: np.random.Generator) -> tuple[str, dict[str, str]]:
    """A topic and facts that there is a sentence for: half of them every topic as often as the others, half every
    template."""
    templates = _ABOUT[TOPICS[rng.integers(len(TOPICS))]] if rng.random() < 0.5 else TEMPLATES
    template = templates[rng.integers(len(templates))]
    chosen = {name: str(rng.choice(_VALUES[name])) if v == ANY else v for name, v in template.facts.items()}
    marked = {"@0": lambda: f"@{rng.integers(NAMES)}", "=0": lambda: f"={rng.integers(NUMBERS)}"}
    return template.topic, {name: marked[value]() if value in marked else value for name, value in chosen.items()}


def tokens(sentence: str) -> list[str]:
    """Lower-case words, punctuation, marks, `<topic>` and `{slot}` tokens."""
    return re.findall(r"<[\w:]+>|\{\w+\}|[@=]\d+|[\w']+|[.,?!]", sentence.lower())


def sentences() -> list[str]:
    """Every sentence of the language, with its topic in front and "@0" and "=0" for any mark, sorted."""
    return sorted(_sentences())


def vocabulary() -> list[str]:
    """Every token of the language, and so every kind of event; sorted."""
    return sorted({token for sentence in _sentences() for token in tokens(sentence)} | MARKS)


@dataclass(frozen=True)
class _Pattern:
    """What a sentence states with "@0" and "=0" for any mark. spoken: the facts that its marks are, from left to
    right."""

    topic: str
    values: tuple[tuple[str, str], ...]
    spoken: tuple[str, ...]


@lru_cache(maxsize=1)
def _sentences() -> dict[str, _Pattern]:
    """Every sentence with what it states. Raises ValueError when one sentence states two things."""
    found: dict[str, _Pattern] = {}
    for template in TEMPLATES:
        names = [name for name, value in template.facts.items() if value == ANY]
        for values in product(*(_VALUES[name] for name in names)):
            facts = {**template.facts, **dict(zip(names, values, strict=True))}
            if _find(template.topic, tuple(facts.items())) is not template:
                continue
            for text in template.texts:
                spoken = tuple(name for name in _SPOKEN.findall(text) if _MARK.match(facts[name]))
                pattern = _Pattern(template.topic, facts_of(template.topic, facts).values, spoken)
                sentence = _said(template.topic, text, facts)
                if found.setdefault(sentence, pattern) != pattern:
                    raise ValueError(f"{sentence!r} states both {found[sentence]} and {pattern}")
    return found


@lru_cache(maxsize=4096)
def _find(topic: str, facts: tuple[tuple[str, str], ...]) -> Template:
    """The first template whose facts are these: exact values are listed before ANY."""
    values = dict(facts)
    for template in TEMPLATES:
        if template.topic == topic and template.facts.keys() == values.keys():
            exact = all(value in (ANY, values[name]) for name, value in template.facts.items())
            unknown = any(value == ANY and values[name] not in _VALUES[name] for name, value in template.facts.items())
            if exact and not unknown:
                return template
    raise KeyError(f"no sentence about {topic} states {values}")


def _said(topic: str, text: str, facts: dict[str, str]) -> str:
    said = _SPOKEN.sub(lambda match: WORDS.get((match[1], facts[match[1]]), facts[match[1]]), text)
    return f"<{topic}> {said[:1].upper()}{said[1:]}".strip()


def _any_mark(text: str) -> str:
    return _MARK.sub(lambda match: f"{match[0][0]}0" if match[0] in MARKS else match[0], text)
