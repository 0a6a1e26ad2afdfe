"""What there is to say about the scene, the vehicle and the moment. Knows nothing about how sentences are read back."""

from __future__ import annotations

from mm_edge.world.template import ANY, UNHEARD, UNSEEN, Template

_BLIND = ("I cannot see the road right now.", "The camera is not working.", "I have no picture right now.")
_NO_LEAD = (
    "There is no vehicle ahead.",
    "I see no vehicle ahead.",
    "Nobody is driving ahead of us.",
    "The lane ahead is free.",
)


def _unseen(topic: str, fact: str) -> Template:
    return Template(topic, {fact: UNSEEN}, _BLIND)


NOW = [
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
