"""Maps of communes: tiles grouped by area, or real boundaries when the survey folder has them.

A shade says how many, the border how it is known: solid where measured, dashed where a model says it, hatched where
nothing may be said. Shades differ in lightness, and each tile has its figure in words, so the map is read without colour.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from survey.problems import SurveyError
from survey.publication.results import Release
from survey.publication.voice import Voice

WIDTH = 1000.0
SHADES = 5

Kind = Literal["measured", "modelled", "synthetic", "none"]


class BadBoundaries(SurveyError):
    """The boundaries cannot be drawn; the message says why."""

    code = "bad_boundaries"


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One place: its figure in words, the shade (0 for none), how it is known, and its outline when there is one."""

    name: str
    kind: Kind
    value: str = ""
    range: str = ""
    shade: int = 0
    outline: str = ""
    needed: str = ""


@dataclass(frozen=True, kw_only=True)
class TileMap:
    """Tiles by area, or outlines in a drawing of `height`; `legend` gives the shares of each shade."""

    id: str
    title: str
    alt: str
    groups: tuple[tuple[str, tuple[Tile, ...]], ...]
    legend: tuple[tuple[int, str], ...]
    height: float = 0.0

    @property
    def tiles(self) -> Iterator[Tile]:
        return (tile for _, tiles in self.groups for tile in tiles)


@dataclass(frozen=True)
class Outlines:
    """SVG paths by code in a drawing of WIDTH by `height`."""

    paths: Mapping[str, str]
    height: float


def outlines(content: bytes) -> Outlines:
    """The polygons of a GeoJSON FeatureCollection whose features have the property `code`.

    Features of one code are one place. Longitudes are shortened by the cosine of the middle latitude, which is true enough for one province.
    """
    try:
        document = msgspec.json.decode(content)
        features = [
            (str(feature["properties"]["code"]), _rings(feature["geometry"]))
            for feature in document["features"]
        ]
        points = [point for _, rings in features for ring in rings for point in ring]
        west, east = min(p[0] for p in points), max(p[0] for p in points)
        south, north = min(p[1] for p in points), max(p[1] for p in points)
        in_degrees = all(-180 <= x <= 180 and -90 < y < 90 for x, y in points)
        shrink = math.cos(math.radians((south + north) / 2)) if in_degrees else 1.0
        scale = WIDTH / ((east - west) * shrink)
    except (KeyError, TypeError, ValueError, IndexError, ArithmeticError, RecursionError) as error:
        raise BadBoundaries(
            {
                "vi": "boundaries.geojson phải là FeatureCollection gồm các vùng có thuộc tính “code”.",
                "en": f"boundaries.geojson must be a FeatureCollection of areas with the property “code” ({error!r}).",
            }
        ) from error
    if not in_degrees:
        raise BadBoundaries(
            {
                "vi": "boundaries.geojson phải dùng kinh độ, vĩ độ WGS 84, tính bằng độ; hãy chuyển từ VN-2000 (mét) sang EPSG:4326.",
                "en": "boundaries.geojson must hold WGS 84 longitudes and latitudes in degrees; convert metres (VN-2000, …) to EPSG:4326.",
            }
        )
    shapes: dict[str, list[list[tuple[float, float]]]] = {}
    for code, rings in features:  # an island may be a feature of its own
        shapes.setdefault(code, []).extend(rings)
    paths = {
        code: "".join(
            "M"
            + " ".join(f"{(p[0] - west) * shrink * scale:.1f},{(north - p[1]) * scale:.1f}" for p in ring)
            + "Z"
            for ring in rings
        )
        for code, rings in shapes.items()
    }
    return Outlines(paths, (north - south) * scale)


def check_places(drawn: Outlines, release: Release) -> None:
    """Raises BadBoundaries when no domain that is mapped has all its places among the outlines: it would have been drawn as
    tiles, and nobody would have known why."""
    missing = [
        [place for place in release.names[one.domain] if not drawn.paths.get(place)]
        for one in release.plan.small_areas
    ]
    if missing and (least := min(missing, key=len)):
        shown = ", ".join(least[:10]) + (" …" if len(least) > 10 else "")
        raise BadBoundaries(
            {
                "vi": f"boundaries.geojson thiếu {len(least)} đơn vị (thuộc tính “code”): {shown}.",
                "en": f"boundaries.geojson lacks {len(least)} places (property “code”): {shown}.",
            }
        )


def _rings(geometry: Any) -> list[list[tuple[float, float]]]:
    polygons = {"Polygon": [geometry["coordinates"]], "MultiPolygon": geometry["coordinates"]}[
        geometry["type"]
    ]
    return [[(float(p[0]), float(p[1])) for p in ring] for polygon in polygons for ring in polygon]


def tile_map(
    release: Release, voice: Voice, indicator: str, domain: str, drawn: Outlines | None
) -> TileMap | None:
    """The map of one indicator by one domain of places; None when nothing can be said of any."""
    measured = {cell.category: cell for cell in release.table(indicator, domain) if cell.status == "show"}
    by_model = {
        one.category: one for one in release.modelled if (one.indicator, one.domain) == (indicator, domain)
    }
    values = {place: cell.value for place, cell in measured.items() if cell.value is not None}
    values |= {place: one.value for place, one in by_model.items() if one.value is not None}
    if not values:
        return None
    low, step = _classes(min(values.values()), max(values.values()))
    groups: dict[str, list[Tile]] = {}
    for place, name in release.names[domain].items():
        one = measured.get(place) or by_model.get(place)
        kind: Kind = "none"
        if place in measured:
            kind = "measured"
        elif place in values:
            kind = "synthetic" if by_model[place].synthetic else "modelled"
        said = one if kind != "none" and one is not None else None
        tile = Tile(
            name=voice.text(name),
            kind=kind,
            value="" if said is None or said.value is None else voice.percent(said.value, 0),
            range=""
            if said is None or said.lower is None or said.upper is None
            else voice.word(
                "chart.range", lower=voice.percent(said.lower, 0), upper=voice.percent(said.upper, 0)
            ),
            shade=min(1 + int((values[place] - low) / step + 1e-9), SHADES) if said else 0,
            outline=drawn.paths.get(place, "") if drawn else "",
            needed=voice.number(by_model[place].needed)
            if place in by_model and by_model[place].needed
            else "",
        )
        groups.setdefault(release.regions.get(place, ""), []).append(tile)
    title = voice.word("map.title", name=voice.text(release.indicator(indicator).name))
    everything = [tile for tiles in groups.values() for tile in tiles]
    complete = drawn is not None and all(tile.outline for tile in everything)
    return TileMap(
        id=f"map-{indicator}-{domain}",
        title=title,
        alt=voice.word(
            "map.alt",
            title=title,
            rows="; ".join(
                f"{tile.name}: {tile.value or voice.word('map.none')} ({voice.word(f'map.{tile.kind}')})"
                for tile in everything
            ),
        ),
        groups=tuple(
            (_region(release, voice, region), tuple(tiles)) for region, tiles in sorted(groups.items())
        ),
        legend=tuple(
            (shade, f"{voice.percent(low + step * (shade - 1), 0)} – {voice.percent(low + step * shade, 0)}")
            for shade in range(1, SHADES + 1)
        ),
        height=drawn.height if drawn is not None and complete else 0.0,
    )


def _classes(least: float, most: float) -> tuple[float, float]:
    """Five classes of equal width, a whole number of points, from a round number at or below the least."""
    step = max(math.ceil(100 * (most - least) / SHADES), 1)
    low = math.floor(100 * least / 5) * 5
    while low + SHADES * step < 100 * most:
        step += 1
    return low / 100, step / 100


def _region(release: Release, voice: Voice, region: str) -> str:
    for categories in release.names.values():
        if region in categories:
            return voice.text(categories[region])
    return region
