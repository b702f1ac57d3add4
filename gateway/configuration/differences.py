"""Compares two configurations: cameras to restart, and sections that need a restart of the gateway. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from camera_sources.camera_settings import CameraSettings

if TYPE_CHECKING:
    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.root import Configuration

RESTART_SECTIONS = ("mqtt", "model", "cluster", "state", "frigate_compat", "page")
"""Sections that a running gateway cannot change."""

CHANGEABLE_SECTIONS = ("profiles", "home_assistant", "hooks")
"""Sections that a running gateway can change."""

AGENT_KEYS = (*CameraSettings.model_fields, "enabled", "edge")
"""Keys of a camera that restart its agent; the others concern only the gateway."""


@dataclass(frozen=True, slots=True)
class ConfigurationChanges:
    """The names of changed cameras and sections. A name is in one field only; names are in the order of the file.

    `restarted`: cameras whose agent must restart; other keys may have changed, too. `rearranged`: cameras with changes
    in objects, zones, detect, snapshots or friendly_name only, which do not concern the agent; changes of the section
    objects for all cameras count for each camera without its own. `sections`: sections that take effect at once.
    `gateway`: sections that take effect after a restart of the gateway.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    rearranged: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    gateway: tuple[str, ...] = ()


def compare_configurations(old: Configuration, new: Configuration) -> ConfigurationChanges:
    """Return what has changed between two configurations."""
    both = [name for name in new.cameras if name in old.cameras]
    restarted = [name for name in both if _for_agent(old.cameras[name]) != _for_agent(new.cameras[name])]
    rearranged = [name for name in both if name not in restarted and _for_scene(old, name) != _for_scene(new, name)]
    return ConfigurationChanges(
        added=tuple(name for name in new.cameras if name not in old.cameras),
        removed=tuple(name for name in old.cameras if name not in new.cameras),
        restarted=tuple(restarted),
        rearranged=tuple(rearranged),
        sections=tuple(name for name in CHANGEABLE_SECTIONS if getattr(old, name) != getattr(new, name)),
        gateway=tuple(name for name in RESTART_SECTIONS if getattr(old, name) != getattr(new, name)),
    )


def _for_agent(camera: CameraSection) -> list[object]:
    return [camera.settings, camera.fps, camera.enabled, camera.edge]


def _for_scene(configuration: Configuration, name: str) -> list[object]:
    """Return the values of a camera that concern only the gateway, with the objects section that applies to it."""
    camera = configuration.cameras[name]
    own = [key for key in type(camera).model_fields if key not in AGENT_KEYS and key != "objects"]
    return [configuration.objects_of(name), *(getattr(camera, key) for key in own)]
