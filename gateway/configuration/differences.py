"""What a changed configuration asks for: which cameras begin again, and what needs a restart of the gateway. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from camera_sources.camera_settings import CameraSettings

if TYPE_CHECKING:
    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.root import Configuration

RESTART_SECTIONS = ("mqtt", "model", "cluster", "state", "frigate_compat")
"""Sections that a running gateway cannot change."""

CHANGEABLE_SECTIONS = ("home_assistant", "hooks")
"""Sections that it can."""

AGENT_KEYS = (*CameraSettings.model_fields, "enabled", "edge")
"""Keys of a camera that its agent begins again for; the others are for the gateway alone."""


@dataclass(frozen=True, slots=True)
class ConfigurationChanges:
    """Names of cameras and of sections, each in one place only, in the order of the file.

    `restarted`: cameras whose agent must begin again, whatever else has changed. `rearranged`: cameras whose objects,
    zones, detect, snapshots or friendly_name have changed, and nothing that the agent must know; objects for all
    cameras count for those that have none of their own. `sections`: what takes effect at once. `gateway`: what takes
    effect when the gateway starts again.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    rearranged: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    gateway: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != ConfigurationChanges()


def compare_configurations(old: Configuration, new: Configuration) -> ConfigurationChanges:
    """What has changed from one configuration to the other."""
    both = [name for name in new.cameras if name in old.cameras]
    restarted = [name for name in both if _agent(old.cameras[name]) != _agent(new.cameras[name])]
    rearranged = [name for name in both if name not in restarted and _scene(old, name) != _scene(new, name)]
    return ConfigurationChanges(
        added=tuple(name for name in new.cameras if name not in old.cameras),
        removed=tuple(name for name in old.cameras if name not in new.cameras),
        restarted=tuple(restarted),
        rearranged=tuple(rearranged),
        sections=tuple(name for name in CHANGEABLE_SECTIONS if getattr(old, name) != getattr(new, name)),
        gateway=tuple(name for name in RESTART_SECTIONS if getattr(old, name) != getattr(new, name)),
    )


def _agent(camera: CameraSection) -> list[object]:
    return [camera.settings, camera.fps, camera.enabled, camera.edge]


def _scene(configuration: Configuration, name: str) -> list[object]:
    """What the gateway alone must know of a camera; which of two places its objects are from does not matter."""
    camera = configuration.cameras[name]
    own = [key for key in type(camera).model_fields if key not in AGENT_KEYS and key != "objects"]
    return [configuration.objects_of(name), *(getattr(camera, key) for key in own)]
