"""What is known of each country: name, time zone, points for its weather, what the live sources call it.

The weights of Germany's points are shares of installed capacity by federal state, at a place near the middle of what is
installed there: rounded approximations, written down from memory of the public tables (Marktstammdatenregister,
AGEE-Stat); nobody has compared them with these tables yet. The points of every other country are places of its windy or
sunny regions with equal weights, chosen by hand. Shares at sea are rough, too.

Installed capacity is not in here: live data has it from Energy-Charts, Open Power System Data from its own columns, and
Germany's of 2012 to 2016 stands in schema.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dsgo.base.errors import UserError


@dataclass(frozen=True)
class Point:
    """A place whose weather counts, with its weight for each kind (a share, up to a common factor)."""

    name: str
    latitude: float  # degrees north
    longitude: float  # degrees east
    solar: float = 0.0
    onshore: float = 0.0
    offshore: float = 0.0


@dataclass(frozen=True)
class Country:
    """A country: points on land and at sea, and its names in the live sources (empty: the source does not have it)."""

    code: str  # ISO 3166, as OPSD's columns begin
    name: str
    zone: str  # IANA
    points_on_land: tuple[Point, ...]
    offshore: tuple[Point, ...] = ()
    offshore_share: float = 0.0  # of the installed wind power
    energy_charts: str = ""
    smard: str = ""
    monthly_capacity: bool = False  # at Energy-Charts, else yearly

    def wind_weights(self) -> list[float]:
        """Return the weight of each point for wind, first those on land, then those at sea; they add up to 1."""
        land = _shares([point.onshore for point in self.points_on_land], 1 - self.offshore_share)
        return land + _shares([point.offshore for point in self.offshore], self.offshore_share)

    def solar_weights(self) -> list[float]:
        """Return the same for sun and temperature."""
        return _shares([point.solar for point in self.points_on_land], 1.0) + [0.0] * len(self.offshore)

    @property
    def latitude(self) -> float:
        """The middle of its solar power, degrees north, to a tenth."""
        return round(self._middle([point.latitude for point in self.points_on_land]), 1)

    @property
    def longitude(self) -> float:
        """The middle of its solar power, degrees east, to a tenth."""
        return round(self._middle([point.longitude for point in self.points_on_land]), 1)

    def _middle(self, values: list[float]) -> float:
        weights = [point.solar for point in self.points_on_land]
        return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _shares(weights: list[float], whole: float) -> list[float]:
    return [weight / sum(weights) * whole for weight in weights]


_GERMANY = (
    Point("Bayern, south", 48.4, 12.0, solar=0.17, onshore=0.01),
    Point("Bayern, north", 49.6, 11.0, solar=0.09, onshore=0.03),
    Point("Baden-Württemberg", 48.6, 9.3, solar=0.12, onshore=0.03),
    Point("Rheinland-Pfalz and Saarland", 49.9, 7.3, solar=0.06, onshore=0.07),
    Point("Hessen", 50.5, 9.0, solar=0.05, onshore=0.04),
    Point("Nordrhein-Westfalen", 51.6, 7.8, solar=0.11, onshore=0.12),
    Point("Niedersachsen, west", 52.9, 7.8, solar=0.06, onshore=0.13),
    Point("Niedersachsen, east", 52.6, 9.9, solar=0.05, onshore=0.08),
    Point("Schleswig-Holstein", 54.4, 9.2, solar=0.04, onshore=0.14),
    Point("Mecklenburg-Vorpommern", 53.8, 12.6, solar=0.05, onshore=0.06),
    Point("Brandenburg and Berlin", 52.4, 13.4, solar=0.08, onshore=0.14),
    Point("Sachsen-Anhalt", 51.9, 11.6, solar=0.05, onshore=0.09),
    Point("Sachsen", 51.1, 13.2, solar=0.04, onshore=0.02),
    Point("Thüringen", 50.9, 11.0, solar=0.03, onshore=0.03),
)
_GERMAN_SEA = (
    Point("German Bight, west", 54.0, 6.4, offshore=0.60),
    Point("German Bight, north", 54.5, 7.6, offshore=0.22),
    Point("Baltic Sea", 54.7, 14.0, offshore=0.18),
)

Places = Sequence[tuple[str, float, float]]


def _other(code: str, name: str, zone: str, charts: str, land: Places, sea: Places = (), share: float = 0.0) -> Country:
    """Return a country whose points have equal weights; `charts` is its name at Energy-Charts."""
    points = tuple(Point(*place, solar=1.0, onshore=1.0) for place in land)
    return Country(code, name, zone, points, tuple(Point(*place, offshore=1.0) for place in sea), share, charts)


_ALL = (
    Country("DE", "Germany", "Europe/Berlin", _GERMANY, _GERMAN_SEA, 0.12, "de", "DE", monthly_capacity=True),
    _other(
        *("AT", "Austria", "Europe/Vienna", "at"),
        [("Vienna", 48.1, 16.8), ("Linz", 48.2, 14.3), ("Graz", 47.0, 15.5), ("Innsbruck", 47.3, 11.4)],
    ),
    _other(
        *("BE", "Belgium", "Europe/Brussels", "be"),
        [("Ghent", 51.0, 3.7), ("Antwerp", 51.2, 4.5), ("Namur", 50.4, 4.9)],
        [("Thornton Bank", 51.6, 2.9)],
        0.4,
    ),
    _other(
        *("BG", "Bulgaria", "Europe/Sofia", "bg"),
        [("Kavarna", 43.4, 28.3), ("Plovdiv", 42.1, 24.7), ("Pleven", 43.4, 24.6)],
    ),
    _other(
        *("CH", "Switzerland", "Europe/Zurich", "ch"),
        [("Bern", 46.9, 7.4), ("Zurich", 47.4, 8.6), ("Lausanne", 46.5, 6.7)],
    ),
    _other(
        *("CZ", "Czechia", "Europe/Prague", "cz"),
        [("Prague", 50.0, 14.4), ("Brno", 49.1, 16.6), ("Ostrava", 49.8, 18.1)],
    ),
    _other(
        *("DK", "Denmark", "Europe/Copenhagen", "dk"),
        [("Esbjerg", 55.5, 8.7), ("Aalborg", 57.0, 9.9), ("Odense", 55.3, 10.4), ("Lolland", 54.8, 11.4)],
        [("Horns Rev", 55.5, 7.8), ("Kriegers Flak", 55.0, 12.9)],
        0.35,
    ),
    _other(
        *("ES", "Spain", "Europe/Madrid", "es"),
        [("Sevilla", 37.5, -5.6), ("Ciudad Real", 39.0, -3.9), ("Zaragoza", 41.6, -0.9), ("Valladolid", 41.7, -4.8)],
    ),
    _other(
        *("FI", "Finland", "Europe/Helsinki", "fi"),
        [("Oulu", 64.9, 25.4), ("Vaasa", 63.0, 21.9), ("Turku", 60.5, 22.3)],
    ),
    _other(
        *("FR", "France", "Europe/Paris", "fr"),
        [
            *[("Amiens", 49.8, 2.5), ("Reims", 48.9, 4.2), ("Rennes", 48.0, -2.2)],
            *[("Bordeaux", 44.6, -0.5), ("Montpellier", 43.6, 3.6), ("Lyon", 45.6, 5.0)],
        ],
        [("Saint-Nazaire", 47.2, -2.6), ("Saint-Brieuc", 48.8, -2.5)],
        0.06,
    ),
    _other(
        *("GB", "Great Britain", "Europe/London", ""),
        [("Aberdeen", 57.2, -2.6), ("Glasgow", 55.6, -4.0), ("Norwich", 52.5, 0.9), ("Exeter", 50.8, -3.8)],
        [("Hornsea", 53.9, 1.7), ("Irish Sea", 54.0, -3.6)],
        0.5,
    ),
    _other(
        *("GR", "Greece", "Europe/Athens", "gr"),
        [("Thebes", 38.3, 23.3), ("Kozani", 40.3, 21.8), ("Alexandroupoli", 40.9, 25.9), ("Heraklion", 35.2, 25.1)],
    ),
    _other(
        *("HU", "Hungary", "Europe/Budapest", "hu"),
        [("Győr", 47.7, 17.5), ("Szeged", 46.3, 20.1), ("Debrecen", 47.5, 21.6)],
    ),
    _other(
        *("IE", "Ireland", "Europe/Dublin", "ie"),
        [("Cork", 52.0, -8.8), ("Galway", 53.4, -8.6), ("Donegal", 54.7, -8.1)],
    ),
    _other(
        *("IT", "Italy", "Europe/Rome", "it"),
        [("Foggia", 41.4, 15.6), ("Palermo", 37.7, 13.6), ("Cagliari", 39.6, 8.9), ("Verona", 45.3, 11.2)],
    ),
    _other(
        *("NL", "Netherlands", "Europe/Amsterdam", "nl"),
        [("Flevoland", 52.5, 5.5), ("Groningen", 53.2, 6.7), ("Zeeland", 51.5, 3.9), ("Eindhoven", 51.5, 5.5)],
        [("Borssele", 51.7, 3.0), ("Hollandse Kust", 52.4, 4.1)],
        0.4,
    ),
    _other(
        *("NO", "Norway", "Europe/Oslo", "no"),
        [("Stavanger", 58.8, 6.0), ("Trondheim", 63.7, 10.0), ("Oslo", 59.9, 10.8)],
    ),
    _other(
        *("PL", "Poland", "Europe/Warsaw", "pl"),
        [("Koszalin", 54.2, 16.2), ("Poznań", 52.4, 16.9), ("Warsaw", 52.2, 21.0), ("Kraków", 50.1, 20.0)],
    ),
    _other(
        *("PT", "Portugal", "Europe/Lisbon", "pt"),
        [("Viseu", 40.9, -7.9), ("Torres Vedras", 39.1, -9.2), ("Évora", 38.4, -7.9)],
    ),
    _other(
        *("RO", "Romania", "Europe/Bucharest", "ro"),
        [("Constanța", 44.4, 28.4), ("Craiova", 44.2, 23.8), ("Bucharest", 44.4, 26.1)],
    ),
    _other(
        *("SE", "Sweden", "Europe/Stockholm", "se"),
        [("Malmö", 55.7, 13.4), ("Gothenburg", 57.8, 12.4), ("Sundsvall", 62.4, 16.5), ("Piteå", 65.3, 20.8)],
    ),
)
COUNTRIES = {country.code: country for country in _ALL}


def country_of(code: str) -> Country:
    """Return the country of a code; UserError, naming those known, for another."""
    if code not in COUNTRIES:
        raise UserError(f"country={code} is not known; known are {', '.join(COUNTRIES)} (dsgo/data/countries.py)")
    return COUNTRIES[code]
