"""The past of a generated drive: its log of events over some hours, the same from the same seed.

Knows nothing about what is asked about it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mm_edge.model.events import EVENTS, LANDMARKS, NAMES, Event, Names, line


def _listed(names: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in names.split(","))


PEOPLE = _listed("""
    Anna, Ben, Clara, David, Elena, Felix, Greta, Hannes, Ingrid, Jonas, Katrin, Leon, Maria, Nils, Olga, Paul,
    Quentin, Rosa, Simon, Tara, Ulrich, Vera, Walter, Xenia, Yusuf, Zoe, Adele, Boris, Carmen, Dmitri, Esther,
    Fatima, Gustav, Helga, Igor, Jasmin, Karim, Lena, Magnus, Nadia, Oskar, Petra, Ravi, Sofia, Tobias, Ursula,
    Viktor, Wendy, Yara, Zack, Amir, Bianca, Cedric, Dora, Emil, Fiona, Gerard, Heidi, Ivan, Julia, Kenji, Laura,
    Matteo, Nora, Otto, Priya, Rafael, Selma, Thomas, Ulla, Valerie, Wanda, Yvonne, Aisha, Bruno, Celine, Diego,
    Edith, Frieda, Giorgio, Hugo, Irene, Jakob, Klaus, Luis, Mina, Noah, Oliver, Pia, Robin, Stella, Theo,
    Vincent, Wilma, Ayumi, Bashir, Mum, Dad, Grandma, Grandpa, Auntie, Uncle Joe, Uncle Pete, Aunt Mary, Doctor
    Weber, Doctor Khan, Professor Lind, Mister Brown, Miss Green, Coach Riley, Judge Stone, Captain Ross, Nurse
    Adams, Mary Lou, Jean Luc, Anne Sophie, Hans Peter, Luz Maribel, Sister Agnes, Father Gabriel
""")
PLACES = _listed("""
    Aachen, Aalen, Altdorf, Amberg, Annecy, Arnhem, Arosa, Augsburg, Avignon, Bamberg, Basel, Bayreuth, Belfort,
    Bergamo, Bergen, Bern, Biel, Bologna, Bolzano, Bonn, Bregenz, Bremen, Brescia, Bruges, Brugg, Calais, Celle,
    Chambery, Chur, Colmar, Como, Cremona, Dachau, Davos, Delft, Dijon, Dornbirn, Dortmund, Dresden, Eisenach,
    Emden, Erfurt, Erlangen, Essen, Ferrara, Florence, Frankfurt, Fulda, Fussen, Geneva, Genoa, Ghent, Goslar,
    Gotha, Graz, Grenoble, Gubbio, Haarlem, Hagen, Hamburg, Hameln, Hanover, Heilbronn, Innsbruck, Ischgl, Jena,
    Karlsruhe, Kassel, Kempten, Kiel, Klagenfurt, Koblenz, Krefeld, Kufstein, Landshut, Lausanne, Leiden, Leipzig,
    Leoben, Lille, Lindau, Linz, Livorno, Locarno, Lucca, Lucerne, Lugano, Lyon, Maastricht, Mainz, Mannheim,
    Mantua, Marburg, Marseille, Meissen, Meran, Metz, Milan, Modena, Montreux, Munich, Nancy, Nantes, Naples,
    Neuss, Nimes, Novara, Nuremberg, Olten, Osnabruck, Padua, Parma, Passau, Pavia, Perugia, Pisa, Potsdam, Prato,
    Ravenna, Reims, Rimini, Rosenheim, Rostock, Rottweil, Rouen, Salzburg, Sargans, Schwerin, Siegen, Siena,
    Solingen, Speyer, Stendal, Stralsund, Strasbourg, Stuttgart, Suhl, Thun, Toulon, Toulouse, Trento, Trier,
    Trieste, Turin, Udine, Ulm, Utrecht, Vaduz, Valence, Venice, Verona, Vicenza, Vienna, Villach, Weimar, Wels,
    Wetzlar, Winterthur, Wuppertal, Xanten, Zermatt, Zug, Zurich, Zwickau, Bad Homburg, Bad Ischl, Bad Ragaz,
    Saint Moritz, Saint Gallen, Saint Malo, Sankt Anton, Port Ellis, Port Anselm, Castel Nuovo, Monte Verde, Villa
    Bruna, Santa Croce, San Remo, San Marino, La Spezia, Le Mans, La Rochelle, Den Haag, Oak Hollow, Maple Grove,
    Silver Creek, Red Hill, Green Valley, Stony Point, Fox Meadow, Mill Haven, North Field, East Wick, West
    Harbour, Upper Dale, Lower Marsh, King's Cross, Queen's Landing, Eagle Pass, Clear Water, High Moor
""")
SPOTS = _listed("""
    Garage A, Garage B, Garage C, Central Garage, Harbour Garage, Opera Garage, Market Garage, Museum Car Park,
    Station Car Park, Castle Car Park, Airport Deck, Beach Deck, River Deck, Level Two, Level Three, Level Four,
    Zone North, Zone South, Church Street, Garden Street, School Lane, Mill Lane, Lake Road, Forest Road, Plaza
    East, Plaza West, Ionix Hub, Voltano, Ampera Point, Fastwatt, Greenplug, Chargewell, Kilowatt Inn,
    Electrostop, Sunvolt, Powerdeck, Quickcell, Rest Stop Alpha, Rest Stop Delta, Service Area Birch
""")
TASKS = _listed("""
    hotel booking, table reservation, ticket purchase, pizza order, parts order, grocery order, route search,
    charger search, news digest, calendar entry, flight booking, train booking, ferry booking, taxi order, flower
    delivery, parcel pickup, insurance claim, damage report, photo upload, map download, music download, software
    update, seat adjustment, cabin heating, battery warmup, garage booking, car wash booking, trip report, expense
    report, meeting invitation, birthday greeting, dentist appointment, tyre change booking, currency exchange,
    visa form, customs form, dinner plan, picnic plan, medicine order, bill payment
""")

FILLERS = {"limit": 4.0, "stop": 4.0, "brake": 2.0, "pedestrian": 2.0, "siren": 1.0}
"""How often an event of little news comes, relative to the others of its group."""
NEWS = {
    "place": 6.0, "call": 6.0, "message": 2.0, "red": 3.0, "charge": 2.0, "park": 1.5, "route": 1.5, "traffic": 1.5,
    "tyres": 1.0, "service": 1.0, "task": 2.0, "done": 1.2, "failed": 0.8, "rain": 1.0, "fog": 1.0, "clear": 1.0,
    **dict.fromkeys(LANDMARKS, 1.0),
}  # fmt: skip
DENSEST, SPARSER = 0.75, 3.0
"""Share of news among the events of the densest log, and how much less it is in the sparsest."""
SHORT = 128
"""A log of this many tokens or fewer is of the densest kind."""
ABSENT = 0.12
"""How often a kind never occurs on a journey."""
ALWAYS = ("brake", "pedestrian", "siren", "message")
"""Kinds that nobody asks about: never absent."""
LONGEST_LINE = max(3 + len(arguments) for arguments in EVENTS.values())
KINDS = (*FILLERS, *NEWS)
_FROM_TO = {
    "red": (5, 120), "stop": (2, 180), "call": (1, 60), "charge": (5, 80), "traffic": (2, 90), "tyres": (26, 43),
    "service": (1, 199), "route": (1, 199),
}  # fmt: skip
"""Where the numbers of an event lie; those of "limit" are whole tens."""
_COUNTS = {kind: arguments.count("number") for kind, arguments in EVENTS.items()}


class Journey:
    """The log of `tokens` tokens, or a few fewer. `lines`: of its events; `words`: their tokens; `latest`: (kind, name)
    and (kind, "") -> the index of the latest such event; `names`: which name is which mark, at random, 49 names at
    most."""

    def __init__(self, seed: int, tokens: int) -> None:
        if seed < 0 or tokens < 0:
            raise ValueError(f"a journey needs a seed and a length of 0 or more, not {seed} and {tokens}")
        rng = np.random.default_rng([seed, 31])
        self.names = Names(rng.permutation(NAMES).tolist())
        self.lines: list[list[str]] = []
        self.words: list[str] = []
        events = []
        for event in _happenings(rng, tokens):
            if len(self.words) + LONGEST_LINE > tokens:
                break
            events.append(event)
            self.lines.append(line(event, self.names))
            self.words += self.lines[-1]
        self.events = tuple(events)
        self.latest = {
            key: index for index, event in enumerate(events) for key in ((event.kind, ""), (event.kind, event.name))
        }


def _happenings(rng: np.random.Generator, tokens: int) -> Iterator[Event]:
    """More events than fit in `tokens`, over some hours of a day."""
    most = tokens // 3 + 1
    kinds = rng.choice(len(KINDS), most, p=_shares(rng, tokens))
    start_s, span_s = rng.uniform(5, 13) * 3600, rng.uniform(1, 9) * 3600
    waits = np.cumsum(rng.exponential(size=most))
    times_s = start_s + span_s * waits / waits[-1]
    chances = rng.random((most, 3))
    cast = _Cast(rng)
    for time_s, kind, chance in zip(times_s.tolist(), kinds.tolist(), chances.tolist(), strict=True):
        yield cast.event(time_s, KINDS[kind], *chance)


def _shares(rng: np.random.Generator, tokens: int) -> NDArray[np.float64]:
    """How often each of KINDS occurs on this journey."""
    news = DENSEST if tokens <= SHORT else DENSEST * SPARSER ** -rng.random()
    present = (rng.random(len(KINDS)) >= ABSENT) | np.isin(KINDS, ALWAYS)
    weights = np.array([*FILLERS.values(), *NEWS.values()]) * rng.gamma(3, size=len(KINDS)) * present
    weights[np.isin(KINDS, ("done", "failed"))] *= present[KINDS.index("task")]
    fillers, others = np.split(weights, [len(FILLERS)])
    return np.concatenate([fillers / fillers.sum() * (1 - news), others / others.sum() * news])


class _Cast:
    """Who and what a journey is about, and what has happened to them so far."""

    def __init__(self, rng: np.random.Generator) -> None:
        def some(names: tuple[str, ...], least: int, most: int) -> list[str]:
            return [names[index] for index in rng.choice(len(names), rng.integers(least, most + 1), replace=False)]

        self._people, self._places = some(PEOPLE, 3, 14), some(PLACES, 4, 22)
        self._spots, self._idle = some(SPOTS, 2, 6), some(TASKS, 2, 7)
        kinds = (kind for kind, arguments in EVENTS.items() if "name" in arguments)
        others = {"place": self._places, "route": self._places, "park": self._spots, "charge": self._spots}
        self._named = {kind: others.get(kind, self._people) for kind in kinds}
        self._running: list[str] = []
        self._weather = "clear"

    def event(self, time_s: float, kind: str, which: float, one: float, two: float) -> Event:
        """The next event, of `kind` unless that cannot be now; which, one, two: chances from 0 to 1."""
        if kind in ("task", "done", "failed"):
            return self._task(time_s, kind, which)
        if kind in ("rain", "fog", "clear"):
            kind = self._weather = kind if kind != self._weather else "rain" if kind == "clear" else "clear"
            return Event(time_s, kind)
        if kind == "limit":
            return Event(time_s, kind, numbers=(10 * int(2 + 12 * one),))
        named = self._named.get(kind)
        low, high = _FROM_TO.get(kind, (0, 0))
        numbers = tuple([int(low + (high + 1 - low) * chance) for chance in (one, two)[: _COUNTS[kind]]])
        return Event(time_s, kind, named[int(which * len(named))] if named else "", numbers)

    def _task(self, time_s: float, kind: str, which: float) -> Event:
        """A task begins when none can end, and ends when none can begin."""
        begins = not self._running or (kind == "task" and bool(self._idle))
        here, there = (self._idle, self._running) if begins else (self._running, self._idle)
        name = here.pop(int(which * len(here)))
        there.append(name)
        return Event(time_s, "task" if begins else "done" if kind == "task" else kind, name)
