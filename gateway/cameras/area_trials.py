"""Tries zones and masks of cameras: they replace the configured ones until the gateway restarts or reloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from gateway.configuration.names import ConfiguredName
from gateway.configuration.objects import ZoneSection
from shared.errors import ConfigurationError
from shared.settings.polygons import Polygons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.objects import ObjectsSection

MAX_TRIED_ZONES = 100
"""Zones of one camera that can be tried; nobody draws more by hand."""

MAX_TRIED_CAMERAS = 256
"""Cameras whose areas can be tried at the same time: as many as a gateway serves."""

_ZONES = TypeAdapter(dict[ConfiguredName, ZoneSection])
_MASK: TypeAdapter[Any] = TypeAdapter(Polygons)


class AreaTrials:
    """The sections of cameras whose zones and masks are tried."""

    def __init__(self) -> None:
        self._sections: dict[str, CameraSection] = {}

    def section_of(self, camera: str, configured: CameraSection) -> CameraSection:
        """Return the section that is tried for a camera, else the configured one."""
        return self._sections.get(camera, configured)

    def begin(
        self, camera: str, section: CameraSection, objects: ObjectsSection, request: Mapping[str, Any]
    ) -> CameraSection:
        """Use the `zones` and the `mask` of a request for a camera; return its section with them.

        One of both keys may be missing. Raises ConfigurationError for a request without any, or with invalid values.
        """
        tried = with_areas(section, objects, request)
        if camera not in self._sections and len(self._sections) >= MAX_TRIED_CAMERAS:
            raise ConfigurationError(
                f"zones or masks of {MAX_TRIED_CAMERAS} cameras are tried, the most possible; read the configuration "
                "again first"
            )
        self._sections[camera] = tried
        return tried

    def end(self) -> None:
        """Return to the configured areas of all cameras."""
        self._sections.clear()


def with_areas(section: CameraSection, objects: ObjectsSection, request: Mapping[str, Any]) -> CameraSection:
    """Return a camera's section with other zones and masks; a zone of the same name keeps what is not given.

    `objects` is the section that applies to it. Raises ConfigurationError, which says what is wrong where.
    """
    changes: dict[str, Any] = {}
    if (zones := request.get("zones")) is not None:
        if not isinstance(zones, dict) or not all(isinstance(zone, dict) for zone in zones.values()):
            raise ConfigurationError('zones must be an object, as {"porch": {"coordinates": "0,0,1,0,1,1"}}')
        if len(zones) > MAX_TRIED_ZONES:
            raise ConfigurationError(f"{len(zones)} zones are too many; send at most {MAX_TRIED_ZONES}")
        known = {name: zone.model_dump(exclude_unset=True) for name, zone in section.zones.items()}
        changes["zones"] = _checked(_ZONES, {name: known.get(name, {}) | zone for name, zone in zones.items()}, "zones")
    if (mask := request.get("mask")) is not None:
        changes["objects"] = objects.model_copy(update={"mask": _checked(_MASK, mask, "mask")})
    if not changes:
        raise ConfigurationError("the request must have zones, or a mask, or both")
    return section.model_copy(update=changes)


def _checked(adapter: TypeAdapter[Any], value: object, key: str) -> Any:  # noqa: ANN401  (of the adapter's type)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([key, *(str(part) for part in first["loc"] if part != "[key]")])
        raise ConfigurationError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from error
