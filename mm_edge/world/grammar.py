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

from mm_edge.model.events import EVENTS, MARKS
from mm_edge.model.schema import SCENE_FACTS

ANY = "*"
UNSEEN, UNHEARD = "unseen", "unheard"
"""Values of a fact whose sensor is lost."""


@dataclass(frozen=True)
class Template:
    """`facts`: what the sentence states; ANY where a `[name]` in the texts says it. The style picks the text."""

    topic: str
    facts: dict[str, str]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What a sentence states about its topic."""

    topic: str
    values: tuple[tuple[str, str], ...]


WORDS: dict[tuple[str, str], str] = {
    ("weather", "rain"): "raining",
    ("weather", "fog"): "foggy",
    ("lead_distance", "medium"): "some way ahead",
    ("lead_distance", "close"): "close ahead",
    ("lead_distance", "far"): "far ahead",
    ("event", "limit"): "a speed limit sign",
    ("event", "red"): "a red light",
    ("event", "stop"): "a stop",
    ("event", "brake"): "a car that had to brake",
    ("event", "pedestrian"): "a pedestrian",
    ("event", "siren"): "a siren",
    ("event", "rain"): "rain",
    ("event", "fog"): "fog",
    ("event", "clear"): "clear weather",
    ("event", "place"): "another place",
    ("event", "tunnel"): "a tunnel",
    ("event", "bridge"): "a bridge",
    ("event", "toll"): "a toll station",
    ("event", "border"): "a border",
    ("event", "park"): "a place to park",
    ("event", "charge"): "a charge",
    ("event", "call"): "a call",
    ("event", "message"): "a message",
    ("event", "traffic"): "traffic news",
    ("event", "tyres"): "a look at the tyres",
    ("event", "service"): "a service reminder",
    ("event", "route"): "a new route",
    ("event", "task"): "a new task",
    ("event", "done"): "a task that was done",
    ("event", "failed"): "a task that failed",
}
"""How a value is said where its name is not the word."""
_BLIND = ("I cannot see the road right now.", "The camera is not working.", "I have no picture right now.")
_NO_LEAD = (
    "There is no vehicle ahead.",
    "I see no vehicle ahead.",
    "Nobody is driving ahead of us.",
    "The lane ahead is free.",
)
_FORGOTTEN = (
    "I do not remember that.",
    "I have no record of that.",
    "My log does not tell me that.",
    "I cannot recall that.",
)


def _unseen(topic: str, fact: str) -> Template:
    return Template(topic, {fact: UNSEEN}, _BLIND)


def _unknown(topic: str, fact: str, *texts: str) -> Template:
    return Template(topic, {fact: "unknown"}, texts + _FORGOTTEN)


TEMPLATES = [
    Template(
        "light",
        {"light": "none"},
        ("I see no traffic light.", "There is no traffic light in sight.", "No light ahead."),
    ),
    Template(
        "light",
        {"light": ANY},
        ("The light is [light].", "The traffic light ahead is [light].", "It is [light].", "I see a [light] light."),
    ),
    _unseen("light", "light"),
    Template(
        "limit",
        {"limit": "none"},
        ("I see no speed limit sign.", "There is no limit sign in sight.", "No speed limit is shown here."),
    ),
    Template(
        "limit",
        {"limit": ANY},
        (
            "The speed limit is [limit].",
            "[limit] is the limit here.",
            "The limit here is [limit] kilometres per hour.",
            "You may drive [limit] here.",
        ),
    ),
    _unseen("limit", "limit"),
    Template("lead", {"lead": "none"}, _NO_LEAD),
    Template(
        "lead",
        {"lead": ANY, "lead_distance": ANY},
        ("A [lead] is [lead_distance].", "There is a [lead] [lead_distance].", "I see a [lead] [lead_distance]."),
    ),
    _unseen("lead", "lead"),
    Template("motion", {"lead_motion": "none"}, _NO_LEAD),
    Template(
        "motion",
        {"lead_motion": "steady"},
        ("The gap stays the same.", "The vehicle ahead keeps its distance.", "The gap is steady."),
    ),
    Template(
        "motion",
        {"lead_motion": "closing"},
        ("We are getting closer.", "The gap is shrinking.", "We are catching up with the vehicle ahead."),
    ),
    Template(
        "motion",
        {"lead_motion": "opening"},
        ("The vehicle ahead is pulling away.", "The gap is growing.", "It is moving away from us."),
    ),
    Template(
        "motion",
        {"lead_motion": "braking hard"},
        ("The vehicle ahead is braking hard.", "It is braking hard.", "Careful, it is braking hard."),
    ),
    _unseen("motion", "lead_motion"),
    Template(
        "pedestrian",
        {"pedestrian": "none"},
        ("I see no pedestrian.", "There is nobody on foot in sight.", "No pedestrians around."),
    ),
    Template(
        "pedestrian",
        {"pedestrian": "ahead"},
        ("A pedestrian is in the lane ahead.", "There is a person on the road ahead.", "Someone is on the road ahead."),
    ),
    *[
        Template(
            "pedestrian",
            {"pedestrian": side},
            (
                f"A pedestrian is on the {side}.",
                f"There is a person on the {side} side.",
                f"Yes, on the {side}.",
                f"I see someone on the {side}.",
            ),
        )
        for side in ("left", "right")
    ],
    _unseen("pedestrian", "pedestrian"),
    Template(
        "weather",
        {"weather": "clear"},
        ("The weather is clear.", "It is clear.", "It is dry and clear.", "The air is clear."),
    ),
    Template(
        "weather",
        {"weather": ANY},
        ("It is [weather].", "It is [weather] outside.", "Right now it is [weather].", "It looks [weather] out there."),
    ),
    _unseen("weather", "weather"),
    Template("daylight", {"daylight": "day"}, ("It is day.", "It is light outside.", "It is daytime.")),
    Template("daylight", {"daylight": "night"}, ("It is night.", "It is dark outside.", "It is night time.")),
    _unseen("daylight", "daylight"),
    Template(
        "road",
        {"road": ANY},
        ("We are on a [road].", "This is a [road].", "You are driving on a [road].", "It looks like a [road]."),
    ),
    _unseen("road", "road"),
    Template("siren", {"siren": "none"}, ("I hear no siren.", "There is no siren.", "No siren at the moment.")),
    Template(
        "siren",
        {"siren": "siren"},
        ("I hear a siren.", "Yes, there is a siren.", "A siren is near.", "Yes, I can hear a siren."),
    ),
    Template("siren", {"siren": UNHEARD}, ("I cannot hear anything right now.", "The microphone is not working.")),
    Template(
        "ahead",
        {"ahead": "nothing"},
        ("The road ahead is free.", "There is nothing special ahead.", "The way ahead is clear."),
    ),
    *[
        Template(
            "ahead", {"ahead": thing}, (f"There is a {thing} ahead.", f"I see a {thing} ahead.", f"Ahead is a {thing}.")
        )
        for thing in ("pedestrian", "red light", "yellow light", "green light", "car", "truck")
    ],
    _unseen("ahead", "ahead"),
    Template(
        "over",
        {"over": "yes", "limit": ANY},
        (
            "Yes, you drive {speed} where [limit] is allowed.",
            "Yes, {speed} is above the limit of [limit].",
            "You are too fast, the limit is [limit].",
        ),
    ),
    Template(
        "over",
        {"over": "no", "limit": ANY},
        (
            "No, you drive {speed} where [limit] is allowed.",
            "No, {speed} is within the limit of [limit].",
            "You are not too fast, the limit is [limit].",
        ),
    ),
    Template(
        "over",
        {"over": "unknown"},
        ("I cannot tell, I do not know the limit or the speed.", "I do not know both the speed and the limit."),
    ),
    Template(
        "speed",
        {"speed": "known"},
        (
            "You are driving {speed} kilometres per hour.",
            "The speed is {speed}.",
            "We are doing {speed}.",
            "{speed} kilometres per hour.",
        ),
    ),
    Template("speed", {"speed": "unknown"}, ("I do not know the speed.", "The speed is not known right now.")),
    Template(
        "energy",
        {"energy": "known"},
        (
            "There is {energy} percent left.",
            "{energy} percent.",
            "The charge is at {energy} percent.",
            "We have {energy} percent left.",
        ),
    ),
    Template("energy", {"energy": "unknown"}, ("I do not know the charge.", "The charge is not known right now.")),
    Template(
        "range",
        {"range": "known"},
        (
            "It will last for {range} kilometres.",
            "The range is {range} kilometres.",
            "We can drive {range} kilometres.",
        ),
    ),
    Template("range", {"range": "unknown"}, ("I do not know the range.", "The range is not known right now.")),
    Template(
        "gear",
        {"gear": ANY},
        ("The gear is in [gear].", "It is in [gear].", "The vehicle is in [gear]."),
    ),
    Template("gear", {"gear": "unknown"}, ("I do not know the gear.", "The gear is not known right now.")),
    Template(
        "indicator",
        {"indicator": "off"},
        ("No indicator is on.", "The indicators are off.", "We are not indicating."),
    ),
    Template(
        "indicator",
        {"indicator": "both"},
        ("The hazard lights are on.", "Both indicators are on.", "We show the hazard lights."),
    ),
    *[
        Template(
            "indicator",
            {"indicator": side},
            (f"The {side} indicator is on.", f"We are indicating {side}.", f"We are signalling to the {side}."),
        )
        for side in ("left", "right")
    ],
    Template(
        "refuse",
        {},
        (
            "I can only talk about the drive.",
            "That is not something I know.",
            "I do not know that.",
            "I cannot answer that.",
        ),
    ),
    _unknown("last_limit", "number", "I remember no speed limit sign."),
    Template(
        "last_limit",
        {"number": ANY},
        (
            "The last speed limit sign said [number].",
            "It said [number].",
            "The last sign showed [number] kilometres per hour.",
            "We passed a sign with [number].",
            "[number] was on the last sign.",
        ),
    ),
    _unknown("red_wait", "number", "I remember no red light."),
    Template(
        "red_wait",
        {"number": ANY},
        (
            "We waited [number] seconds at the last red light.",
            "It took [number] seconds.",
            "The last red light took [number] seconds.",
            "[number] seconds.",
            "We stood there for [number] seconds.",
        ),
    ),
    _unknown("last_caller", "name", "I remember no call."),
    Template(
        "last_caller",
        {"name": ANY},
        (
            "The last call was with [name].",
            "It was [name].",
            "[name] called last.",
            "You last talked to [name].",
            "The last caller was [name].",
        ),
    ),
    _unknown("call_before", "name", "I remember no call before that."),
    Template(
        "call_before",
        {"name": ANY},
        (
            "Before that, [name] called.",
            "It was [name].",
            "The last call before that was with [name].",
            "[name] called before that.",
            "Before that you talked to [name].",
        ),
    ),
    _unknown("call_length", "number", "I remember no such call."),
    Template(
        "call_length",
        {"number": ANY},
        (
            "The call took [number] minutes.",
            "You talked for [number] minutes.",
            "It was [number] minutes long.",
            "[number] minutes.",
            "That call lasted [number] minutes.",
        ),
    ),
    _unknown("parked", "name", "I do not remember that we parked."),
    Template(
        "parked",
        {"name": ANY},
        (
            "We parked at [name].",
            "The car was parked at [name].",
            "It was at [name].",
            "[name] is where we parked.",
            "You left the car at [name].",
        ),
    ),
    _unknown("after", "event", "I remember nothing after that."),
    Template(
        "after",
        {"event": ANY},
        (
            "After that came [event].",
            "Next was [event].",
            "It was [event].",
            "[event] came next.",
            "The next thing was [event].",
            "Right after that there was [event].",
        ),
    ),
    _unknown("stops_since", "number", "I do not remember that place."),
    Template(
        "stops_since",
        {"number": ANY},
        (
            "The number of stops since then is [number].",
            "I have counted [number] since then.",
            "[number] since then.",
            "Since then the count of stops is [number].",
            "My count is [number].",
        ),
    ),
    _unknown("when", "hour", "I do not know when that was."),
    Template(
        "when",
        {"hour": ANY, "minute": ANY},
        (
            "That was at [hour] [minute].",
            "It was [hour] [minute].",
            "At [hour] [minute].",
            "The time was [hour] [minute].",
            "It was at [hour] [minute] today.",
        ),
    ),
    _unknown("charged", "number", "I remember no such charge."),
    Template(
        "charged",
        {"number": ANY},
        (
            "We charged [number] percent.",
            "It gave us [number] percent.",
            "The charge added [number] percent.",
            "[number] percent.",
            "We gained [number] percent there.",
        ),
    ),
    Template(
        "doing",
        {"name": "unknown"},
        ("No task is running.", "I am not working on anything.", "There is no open task.", "Nothing is running."),
    ),
    Template(
        "doing",
        {"name": ANY},
        (
            "I am working on the [name].",
            "The [name] is running.",
            "It is the [name].",
            "Right now the [name] is running.",
            "The [name] is still open.",
        ),
    ),
    _unknown("task_state", "state", "I know of no such task."),
    Template(
        "task_state",
        {"state": "running", "name": ANY},
        (
            "The [name] is still running.",
            "I am still working on the [name].",
            "No, the [name] is not finished.",
            "The [name] is not done yet.",
        ),
    ),
    Template(
        "task_state",
        {"state": "done", "name": ANY},
        ("The [name] is done.", "I have finished the [name].", "The [name] worked.", "The [name] is complete."),
    ),
    Template(
        "task_state",
        {"state": "failed", "name": ANY},
        (
            "The [name] failed.",
            "The [name] did not work.",
            "I could not finish the [name].",
            "Sorry, the [name] failed.",
        ),
    ),
    _unknown("location", "name", "I do not know where we are."),
    Template(
        "location",
        {"name": ANY},
        (
            "We are in [name].",
            "This is [name].",
            "The last place was [name].",
            "You are in [name].",
            "[name] is where we are.",
        ),
    ),
    _unknown("traffic", "number", "I have no traffic news.", "I know of no jam."),
    Template(
        "traffic",
        {"number": ANY},
        (
            "The traffic costs us [number] minutes.",
            "There is a jam of [number] minutes.",
            "We lose [number] minutes in traffic.",
            "The delay is [number] minutes.",
            "Expect [number] minutes of delay.",
        ),
    ),
    _unknown("tyres", "number", "I do not know the tyre pressure."),
    Template(
        "tyres",
        {"number": ANY},
        (
            "The tyre pressure is [number] psi.",
            "The tyres have [number] psi.",
            "It is [number] psi.",
            "[number] psi.",
            "The pressure in the tyres is [number] psi.",
        ),
    ),
    _unknown("service", "since", "I have no service data."),
    Template(
        "service",
        {"since": ANY, "until": ANY},
        (
            "The last service was [since] days ago, the next is in [until] days.",
            "The next service is in [until] days, the last was [since] days ago.",
            "It was [since] days ago, and is due again in [until] days.",
            "The service is due in [until] days, after the last one [since] days ago.",
        ),
    ),
    _unknown("arrival", "name", "I know of no route.", "No route is set."),
    Template(
        "arrival",
        {"name": ANY, "km": ANY, "min": ANY},
        (
            "It is [km] kilometres to [name], about [min] minutes.",
            "We will be in [name] in [min] minutes, it is [km] kilometres away.",
            "[name] is [km] kilometres and [min] minutes away.",
            "It takes [min] minutes to [name], for [km] kilometres.",
        ),
    ),
    Template("silent", {}, ("",)),
    Template(
        "alert:lead_braking",
        {},
        (
            "Careful, the vehicle ahead is braking hard.",
            "The vehicle ahead is braking hard.",
            "Brake, it is braking hard ahead.",
        ),
    ),
    Template(
        "alert:red_light",
        {},
        ("The light ahead is red.", "Red light ahead.", "Careful, the traffic light is red."),
    ),
    Template(
        "alert:pedestrian",
        {},
        ("Careful, a pedestrian is in the lane.", "Pedestrian ahead.", "There is a person on the road ahead."),
    ),
    Template(
        "alert:over_limit",
        {},
        ("You are above the speed limit.", "You are too fast.", "{speed} is above the limit here."),
    ),
    Template(
        "alert:siren",
        {},
        ("I hear a siren.", "There is a siren near.", "Careful, a siren."),
    ),
]

_VALUES = {
    **{fact: [v for v in values if v != "none"] for fact, values in SCENE_FACTS.items()},
    "gear": ["park", "reverse", "neutral", "drive"],
    "event": [*EVENTS],
    "name": ["@0"],
    **{name: ["=0"] for name in ("number", "hour", "minute", "since", "until", "km", "min")},
}
_MARK, _SPOKEN = re.compile(r"[@=]\d+"), re.compile(r"\[(\w+)\]")
TOPICS = tuple(dict.fromkeys(template.topic for template in TEMPLATES))


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
