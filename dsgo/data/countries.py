"""What is known of each country: names, time zone, points for its weather, installed capacity, what sources call it."""

from dataclasses import dataclass

from dsgo.base.errors import UserError


@dataclass(frozen=True)
class Point:
    """A place whose weather counts, with its share of what is installed (the shares of a kind need not add up to 1)."""

    name: str
    latitude: float  # degrees north
    longitude: float  # degrees east
    solar: float = 0.0
    onshore: float = 0.0
    offshore: float = 0.0


@dataclass(frozen=True)
class Country:
    """A country: points on land and at sea, and its names in the sources (empty: the source has none of it)."""

    code: str  # ISO 3166, as OPSD's columns begin
    name: str
    zone: str  # IANA
    points_on_land: tuple[Point, ...]
    offshore: tuple[Point, ...] = ()
    energy_charts: str = ""
    smard: str = ""
    opsd: bool = False  # the two OPSD packages have its solar, wind and weather
    source: str = "cities and regions by population, equal shares: no table of plants was at hand"

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


# Shares of installed capacity by federal state: Marktstammdatenregister and AGEE-Stat, end of 2024, rounded to percent,
# at a place near the middle of what is installed there; small states are with their neighbours.
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


def _equal(*places: tuple[str, float, float]) -> tuple[Point, ...]:
    return tuple(Point(name, lat, lon, solar=1 / len(places), onshore=1 / len(places)) for name, lat, lon in places)


COUNTRIES = {
    country.code: country
    for country in (
        Country(
            *("DE", "Germany", "Europe/Berlin", _GERMANY, _GERMAN_SEA, "de", "DE", True),
            source="installed capacity by state: Marktstammdatenregister, AGEE-Stat",
        ),
        Country(
            *("AT", "Austria", "Europe/Vienna"),
            _equal(("Vienna", 48.1, 16.8), ("Linz", 48.2, 14.3), ("Graz", 47.0, 15.5), ("Innsbruck", 47.3, 11.4)),
            energy_charts="at",
            opsd=True,
        ),
        Country(
            *("BE", "Belgium", "Europe/Brussels"),
            _equal(("Ghent", 51.0, 3.7), ("Antwerp", 51.2, 4.5), ("Namur", 50.4, 4.9)),
            (Point("Thornton Bank", 51.6, 2.9, offshore=1.0),),
            energy_charts="be",
            opsd=True,
        ),
        Country(
            *("CH", "Switzerland", "Europe/Zurich"),
            _equal(("Bern", 46.9, 7.4), ("Zurich", 47.4, 8.6), ("Lausanne", 46.5, 6.7)),
            energy_charts="ch",
            opsd=True,
        ),
        Country(
            *("CZ", "Czechia", "Europe/Prague"),
            _equal(("Prague", 50.0, 14.4), ("Brno", 49.1, 16.6), ("Ostrava", 49.8, 18.1)),
            energy_charts="cz",
            opsd=True,
        ),
        Country(
            *("DK", "Denmark", "Europe/Copenhagen"),
            _equal(("Esbjerg", 55.5, 8.7), ("Aalborg", 57.0, 9.9), ("Odense", 55.3, 10.4), ("Lolland", 54.8, 11.4)),
            (Point("Horns Rev", 55.5, 7.8, offshore=0.7), Point("Kriegers Flak", 55.0, 12.9, offshore=0.3)),
            energy_charts="dk",
            opsd=True,
        ),
        Country(
            *("ES", "Spain", "Europe/Madrid"),
            _equal(
                ("Sevilla", 37.5, -5.6),
                ("Ciudad Real", 39.0, -3.9),
                ("Zaragoza", 41.6, -0.9),
                ("Valladolid", 41.7, -4.8),
            ),
            energy_charts="es",
            opsd=True,
        ),
        Country(
            *("FR", "France", "Europe/Paris"),
            _equal(
                ("Amiens", 49.8, 2.5),
                ("Reims", 48.9, 4.2),
                ("Rennes", 48.0, -2.2),
                ("Bordeaux", 44.6, -0.5),
                ("Montpellier", 43.6, 3.6),
                ("Lyon", 45.6, 5.0),
            ),
            energy_charts="fr",
            opsd=True,
        ),
        Country(
            *("GB", "Great Britain", "Europe/London"),
            _equal(("Aberdeen", 57.2, -2.6), ("Glasgow", 55.6, -4.0), ("Norwich", 52.5, 0.9), ("Exeter", 50.8, -3.8)),
            (Point("Hornsea", 53.9, 1.7, offshore=0.6), Point("Irish Sea", 54.0, -3.6, offshore=0.4)),
            opsd=True,
        ),
        Country(
            *("IT", "Italy", "Europe/Rome"),
            _equal(("Foggia", 41.4, 15.6), ("Palermo", 37.7, 13.6), ("Cagliari", 39.6, 8.9), ("Verona", 45.3, 11.2)),
            energy_charts="it",
            opsd=True,
        ),
        Country(
            *("NL", "Netherlands", "Europe/Amsterdam"),
            _equal(
                ("Flevoland", 52.5, 5.5), ("Groningen", 53.2, 6.7), ("Zeeland", 51.5, 3.9), ("Eindhoven", 51.5, 5.5)
            ),
            (Point("Borssele", 51.7, 3.0, offshore=0.5), Point("Hollandse Kust", 52.4, 4.1, offshore=0.5)),
            energy_charts="nl",
            opsd=True,
        ),
        Country(
            *("PL", "Poland", "Europe/Warsaw"),
            _equal(("Koszalin", 54.2, 16.2), ("Poznan", 52.4, 16.9), ("Warsaw", 52.2, 21.0), ("Krakow", 50.1, 20.0)),
            energy_charts="pl",
            opsd=True,
        ),
        Country(
            *("SE", "Sweden", "Europe/Stockholm"),
            _equal(("Malmö", 55.7, 13.4), ("Gothenburg", 57.8, 12.4), ("Sundsvall", 62.4, 16.5), ("Piteå", 65.3, 20.8)),
            energy_charts="se",
            opsd=True,
        ),
    )
}


def country(code: str) -> Country:
    """Return the country of a code; UserError, naming those known, for another."""
    if code not in COUNTRIES:
        raise UserError(f"country={code} is not known here; known are {', '.join(COUNTRIES)} (dsgo/data/countries.py)")
    return COUNTRIES[code]
