"""The interface through which scenes report changes to integrations with their own topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.observation.scene.states import SceneUpdate


class SceneListener(Protocol):
    """Receives changes of scenes, one after the other. None of its methods raises BrokerError."""

    async def on_connected(self) -> None:
        """Publish all retained state again after each (re)connect to a broker, which may have lost it."""

    async def on_scene_changed(self, camera: str, update: SceneUpdate, *, known: bool) -> None:
        """Publish a change of a scene; its counts only if they are `known`, because enough frames have shown it."""

    async def on_settings_changed(self, camera: str) -> None:
        """Publish a camera's settings or presence after a change."""

    async def on_camera_forgotten(self, camera: str) -> None:
        """Publish that a camera was removed."""

    async def on_snapshot(self, camera: str, label: str, jpeg: bytes) -> None:
        """Publish a close-up of an object of this label."""

    async def on_stopping(self) -> None:
        """Publish that the gateway is offline, before its scenes end."""
