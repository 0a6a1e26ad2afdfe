"""What there is to say about the scene, the vehicle and the moment. Knows nothing about how sentences are read back."""

from __future__ import annotations

from mm_edge.world.template import ANY, UNHEARD, UNSEEN, Template

_BLIND = (
    "I cannot see the road right now.",
    "The camera is not working.",
    "I have no picture right now.",
    "I cannot see anything right now.",
    "There is no picture from the camera.",
    "Right now the camera is not working.",
    "Sorry, I cannot see the road.",
    "I cannot tell, the camera is not working.",
)
_NO_LEAD = (
    "There is no vehicle ahead.",
    "I see no vehicle ahead.",
    "Nobody is driving ahead of us.",
    "The lane ahead is free.",
    "There is nobody ahead of us.",
    "No vehicle is ahead of us.",
    "There is no car or truck ahead.",
    "I see nobody driving ahead.",
)


def _unseen(topic: str, fact: str) -> Template:
    return Template(topic, {fact: UNSEEN}, _BLIND)


def _unknown(fact: str, thing: str) -> Template:
    """What the vehicle's signals do not tell; `fact` is also the topic."""
    texts = (
        f"I do not know the {thing}.",
        f"The {thing} is not known right now.",
        f"Right now I do not know the {thing}.",
        f"Sorry, I do not know the {thing}.",
        f"I cannot tell the {thing} right now.",
        f"I have no data on the {thing}.",
        f"The vehicle does not tell me the {thing}.",
        f"The {thing} is not known to me.",
    )
    return Template(fact, {fact: "unknown"}, texts)


NOW = [
    Template("light", {"light": "none"}, (
        "I see no traffic light.", "There is no traffic light in sight.", "No light ahead.",
        "There is no traffic light ahead.", "I see no light ahead.", "No traffic light is in sight.",
        "There is no traffic light here.", "No traffic light ahead.",
    )),
    Template("light", {"light": ANY}, (
        "The light is [light].", "The traffic light ahead is [light].", "It is [light].", "I see a [light] light.",
        "There is a [light] light ahead.", "The light ahead is [light].", "The traffic light is [light].",
        "Right now the light is [light].",
    )),
    _unseen("light", "light"),
    Template("limit", {"limit": "none"}, (
        "I see no speed limit sign.", "There is no limit sign in sight.", "No speed limit is shown here.",
        "There is no speed limit sign here.", "I see no sign with a limit.", "No limit sign is in sight.",
        "There is no sign with a speed limit here.", "No limit is shown right now.",
    )),
    Template("limit", {"limit": ANY}, (
        "The speed limit is [limit].", "[limit] is the limit here.", "The limit here is [limit] kilometres per hour.",
        "You may drive [limit] here.", "The speed limit here is [limit].", "[limit] is allowed here.",
        "Here you may drive [limit].", "You may drive up to [limit] here.",
    )),
    _unseen("limit", "limit"),
    Template("lead", {"lead": "none"}, _NO_LEAD),
    Template("lead", {"lead": ANY, "lead_distance": ANY}, (
        "A [lead] is [lead_distance].", "There is a [lead] [lead_distance].", "I see a [lead] [lead_distance].",
        "[lead_distance] there is a [lead].", "[lead_distance] I see a [lead].", "[lead_distance] is a [lead].",
        "The vehicle [lead_distance] is a [lead].", "It is a [lead], [lead_distance].",
    )),
    _unseen("lead", "lead"),
    Template("motion", {"lead_motion": "none"}, _NO_LEAD),
    Template("motion", {"lead_motion": "steady"}, (
        "The gap stays the same.", "The vehicle ahead keeps its distance.", "The gap is steady.",
        "It keeps its distance.", "The distance stays the same.", "The gap ahead is steady.",
        "The vehicle ahead stays at the same distance.", "The distance is steady.",
    )),
    Template("motion", {"lead_motion": "closing"}, (
        "We are getting closer.", "The gap is shrinking.", "We are catching up with the vehicle ahead.",
        "The distance is shrinking.", "The vehicle ahead is getting closer.",
        "We are getting closer to the vehicle ahead.", "It is getting closer.", "We are catching up.",
    )),
    Template("motion", {"lead_motion": "opening"}, (
        "The vehicle ahead is pulling away.", "The gap is growing.", "It is moving away from us.",
        "It is pulling away.", "The distance is growing.", "The gap ahead is growing.",
        "The vehicle ahead is moving away.", "It is pulling away from us.",
    )),
    Template("motion", {"lead_motion": "braking hard"}, (
        "The vehicle ahead is braking hard.", "It is braking hard.", "Careful, it is braking hard.",
        "Careful, the vehicle ahead is braking hard.", "It is braking hard ahead.",
        "The vehicle ahead of us is braking hard.", "Right now it is braking hard.",
        "Careful, there is hard braking ahead.",
    )),
    _unseen("motion", "lead_motion"),
    Template("pedestrian", {"pedestrian": "none"}, (
        "I see no pedestrian.", "There is nobody on foot in sight.", "No pedestrians around.",
        "There is no pedestrian in sight.", "I see nobody on foot.", "There is no pedestrian.",
        "Nobody is on foot here.", "I see nobody on or near the road.",
    )),
    Template("pedestrian", {"pedestrian": "ahead"}, (
        "A pedestrian is in the lane ahead.", "There is a person on the road ahead.", "Someone is on the road ahead.",
        "There is a pedestrian ahead.", "I see a pedestrian in the lane ahead.", "I see someone on the road ahead.",
        "A person is in the lane ahead.", "Someone is in the lane ahead of us.",
    )),
    *[
        Template("pedestrian", {"pedestrian": side}, (
            f"A pedestrian is on the {side}.", f"There is a person on the {side} side.", f"Yes, on the {side}.",
            f"I see someone on the {side}.", f"There is a pedestrian on the {side}.",
            f"I see a pedestrian on the {side}.", f"Someone is on the {side}.", f"I see a person on the {side} side.",
        ))
        for side in ("left", "right")
    ],
    _unseen("pedestrian", "pedestrian"),
    Template("weather", {"weather": "clear"}, (
        "The weather is clear.", "It is clear.", "It is dry and clear.", "The air is clear.", "It is clear outside.",
        "Right now it is clear.", "It looks clear out there.", "There is no rain or fog.",
    )),
    Template("weather", {"weather": ANY}, (
        "It is [weather].", "It is [weather] outside.", "Right now it is [weather].", "It looks [weather] out there.",
        "Outside it is [weather].", "It is [weather] here.", "At the moment it is [weather].",
        "I see that it is [weather].",
    )),
    _unseen("weather", "weather"),
    Template("daylight", {"daylight": "day"}, (
        "It is day.", "It is light outside.", "It is daytime.", "It is day outside.", "Right now it is day.",
        "It is light out there.", "It is daytime outside.", "Right now it is light outside.",
    )),
    Template("daylight", {"daylight": "night"}, (
        "It is night.", "It is dark outside.", "It is night time.", "It is night outside.", "Right now it is night.",
        "It is dark out there.", "It is dark.", "Right now it is dark outside.",
    )),
    _unseen("daylight", "daylight"),
    Template("road", {"road": ANY}, (
        "We are on a [road].", "This is a [road].", "You are driving on a [road].", "It looks like a [road].",
        "We are driving on a [road].", "Right now we are on a [road].", "You are on a [road].", "It is a [road].",
    )),
    _unseen("road", "road"),
    Template("siren", {"siren": "none"}, (
        "I hear no siren.", "There is no siren.", "No siren at the moment.", "I do not hear a siren.",
        "There is no siren near.", "Right now I hear no siren.", "I hear no siren at the moment.",
        "No, there is no siren.",
    )),
    Template("siren", {"siren": "siren"}, (
        "I hear a siren.", "Yes, there is a siren.", "A siren is near.", "Yes, I can hear a siren.",
        "There is a siren near.", "Right now I hear a siren.", "I can hear a siren.", "There is a siren.",
    )),
    Template("siren", {"siren": UNHEARD}, (
        "I cannot hear anything right now.", "The microphone is not working.", "I cannot hear right now.",
        "Sorry, I cannot hear anything.", "I have no sound right now.", "There is no sound from the microphone.",
        "I cannot tell, the microphone is not working.", "Right now the microphone is not working.",
    )),
    Template("ahead", {"ahead": "nothing"}, (
        "The road ahead is free.", "There is nothing special ahead.", "The way ahead is clear.",
        "Nothing special is ahead.", "I see nothing special ahead.", "The way ahead is free.",
        "The road ahead is clear.", "There is nothing ahead of us.",
    )),
    *[
        Template("ahead", {"ahead": thing}, (
            f"There is a {thing} ahead.", f"I see a {thing} ahead.", f"Ahead is a {thing}.",
            f"There is a {thing} ahead of us.", f"A {thing} is ahead of us.", f"I can see a {thing} ahead.",
            f"We have a {thing} ahead.", f"Ahead of us is a {thing}.",
        ))
        for thing in ("pedestrian", "red light", "yellow light", "green light", "car", "truck")
    ],
    _unseen("ahead", "ahead"),
    Template("over", {"over": "yes", "limit": ANY}, (
        "Yes, you drive {speed} where [limit] is allowed.",
        "Yes, {speed} is above the limit of [limit].",
        "You are too fast, the limit is [limit].",
        "{speed} is too fast, the limit is [limit].",
        "Yes, the limit is [limit] and you drive {speed}.",
        "You are above the limit of [limit].",
        "Yes, you are too fast, only [limit] is allowed here.",
        "Yes, you are doing {speed} and the limit is [limit].",
    )),
    Template("over", {"over": "no", "limit": ANY}, (
        "No, you drive {speed} where [limit] is allowed.",
        "No, {speed} is within the limit of [limit].",
        "You are not too fast, the limit is [limit].",
        "{speed} is not too fast, the limit is [limit].",
        "No, the limit is [limit] and you drive {speed}.",
        "You are within the limit of [limit].",
        "No, you are not too fast, [limit] is allowed here.",
        "No, you are doing {speed} and the limit is [limit].",
    )),
    Template("over", {"over": "unknown"}, (
        "I cannot tell, I do not know the limit or the speed.",
        "I do not know both the speed and the limit.",
        "The limit or the speed is not known right now.",
        "I cannot tell, the limit or the speed is not known.",
        "I cannot tell without both the limit and the speed.",
        "I cannot tell if you are too fast.",
        "I do not know if you are too fast.",
        "Sorry, I do not know both the limit and the speed.",
    )),
    Template("speed", {"speed": "known"}, (
        "You are driving {speed} kilometres per hour.", "The speed is {speed}.", "We are doing {speed}.",
        "{speed} kilometres per hour.", "We are driving {speed} kilometres per hour.",
        "The speed is {speed} kilometres per hour.", "You are doing {speed}.", "Right now we are doing {speed}.",
    )),
    _unknown("speed", "speed"),
    Template("energy", {"energy": "known"}, (
        "There is {energy} percent left.", "{energy} percent.", "The charge is at {energy} percent.",
        "We have {energy} percent left.", "The charge is {energy} percent.", "{energy} percent is left.",
        "You have {energy} percent left.", "Right now we have {energy} percent.",
    )),
    _unknown("energy", "charge"),
    Template("range", {"range": "known"}, (
        "It will last for {range} kilometres.", "The range is {range} kilometres.", "We can drive {range} kilometres.",
        "You can drive {range} kilometres.", "{range} kilometres.", "There are {range} kilometres left.",
        "We have {range} kilometres left.", "The range left is {range} kilometres.",
    )),
    _unknown("range", "range"),
    Template("gear", {"gear": ANY}, (
        "The gear is in [gear].", "It is in [gear].", "The vehicle is in [gear].", "We are in [gear].",
        "The gear is [gear].", "The car is in [gear].", "Right now it is in [gear].", "Right now we are in [gear].",
    )),
    _unknown("gear", "gear"),
    Template("indicator", {"indicator": "off"}, (
        "No indicator is on.", "The indicators are off.", "We are not indicating.", "Both indicators are off.",
        "There is no indicator on.", "Right now no indicator is on.", "We are not indicating right now.",
        "Right now the indicators are off.",
    )),
    Template("indicator", {"indicator": "both"}, (
        "The hazard lights are on.", "Both indicators are on.", "We show the hazard lights.",
        "The left and the right indicator are on.", "We have the hazard lights on.",
        "Right now both indicators are on.", "Right now the hazard lights are on.", "We have both indicators on.",
    )),
    *[
        Template("indicator", {"indicator": side}, (
            f"The {side} indicator is on.", f"We are indicating {side}.", f"We are signalling to the {side}.",
            f"The indicator on the {side} is on.", f"We are indicating to the {side}.",
            f"Right now the {side} indicator is on.", f"We are signalling {side}.", f"We have the {side} indicator on.",
        ))
        for side in ("left", "right")
    ],
    Template("refuse", {}, (
        "I can only talk about the drive.", "That is not something I know.", "I do not know that.",
        "I cannot answer that.", "Sorry, I do not know that.", "That is something I cannot answer.",
        "I only know about the drive.", "Sorry, I can only talk about the drive.",
    )),
    Template("silent", {}, ("",)),
    Template("alert:lead_braking", {}, (
        "Careful, the vehicle ahead is braking hard.", "The vehicle ahead is braking hard.",
        "Brake, it is braking hard ahead.", "Careful, it is braking hard ahead.",
        "Brake, the vehicle ahead is braking hard.", "Careful, there is hard braking ahead.",
        "It is braking hard ahead.", "Careful, the vehicle ahead of us is braking hard.",
    )),
    Template("alert:red_light", {}, (
        "The light ahead is red.", "Red light ahead.", "Careful, the traffic light is red.",
        "Careful, red light ahead.", "The traffic light ahead is red.", "There is a red light ahead.",
        "Careful, the light ahead is red.", "I see a red light ahead.",
    )),
    Template("alert:pedestrian", {}, (
        "Careful, a pedestrian is in the lane.", "Pedestrian ahead.", "There is a person on the road ahead.",
        "Careful, pedestrian ahead.", "There is a pedestrian ahead.", "A pedestrian is in the lane ahead.",
        "Careful, someone is on the road ahead.", "Careful, there is a person on the road ahead.",
    )),
    Template("alert:over_limit", {}, (
        "You are above the speed limit.", "You are too fast.", "{speed} is above the limit here.",
        "Careful, you are too fast.", "You are driving too fast.", "We are above the speed limit.",
        "Careful, you are above the limit.", "{speed} is too fast here.",
    )),
    Template("alert:siren", {}, (
        "I hear a siren.", "There is a siren near.", "Careful, a siren.", "I can hear a siren.",
        "Careful, there is a siren near.", "A siren is near.", "Careful, I hear a siren.", "There is a siren.",
    )),
]  # fmt: skip
