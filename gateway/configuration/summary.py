"""Summarises a configuration, without secrets. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from camera_sources.urls.schemes import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.root import Configuration


def summarise(configuration: Configuration) -> dict[str, Any]:
    """Return the summary as values for JSON."""
    mqtt, cluster = configuration.mqtt, configuration.cluster
    return {
        "model": configuration.model.path,
        "method": str(cluster.method),
        "grid": cluster.grid,
        "broker": mqtt.host or "its own",
        "port": mqtt.port,
        "topic_prefix": mqtt.topic_prefix,
        "cameras": {name: _camera(configuration, name, camera) for name, camera in configuration.cameras.items()},
        "home_assistant": configuration.home_assistant.enabled,
        "frigate_compat": configuration.frigate_compat.enabled,
        "webhooks": len(configuration.hooks.webhooks),
        "commands": len(configuration.hooks.commands),
    }


def summary_lines(configuration: Configuration) -> Iterator[str]:
    """Yield the lines of the summary for people."""
    values = summarise(configuration)
    method = f"method {values['method']}{', grid ' + values['grid'] if values['grid'] else ''}"
    yield f"model     {values['model']}, {method}"
    yield f"broker    {values['broker']}, port {values['port']}, topics below {values['topic_prefix']}/"
    yield f"cameras   {len(values['cameras'])}"
    width = max((len(name) for name in values["cameras"]), default=0)
    for name, camera in values["cameras"].items():
        yield f"  {name:{width}}  {_describe(camera)}"
    on = [
        words
        for key, words in (("home_assistant", "Home Assistant"), ("frigate_compat", "Frigate's topics"))
        if values[key]
    ]
    on += [
        f"{values[key]} {key[:-1]}{'s' if values[key] > 1 else ''}" for key in ("webhooks", "commands") if values[key]
    ]
    yield f"on        {', '.join(on) or 'nothing but MQTT'}"


def _camera(configuration: Configuration, name: str, camera: CameraSection) -> dict[str, Any]:
    return {
        "source": scheme_of(camera.source.get_secret_value()) or "path",
        "edge": camera.edge,
        "enabled": camera.enabled,
        "detect": camera.detect.enabled,
        "fps": camera.fps,
        "motion": camera.motion.enabled,
        "labels": list(configuration.objects_of(name).track),
        "zones": list(camera.zones),
    }


def _describe(camera: dict[str, Any]) -> str:
    words = [
        f"{camera['source']} to {camera['edge'] or 'any edge'}",
        "follows " + (", ".join(camera["labels"]) or "nothing"),
    ]
    if camera["zones"]:
        words.append("zones " + ", ".join(camera["zones"]))
    words += [
        word
        for word, applies in (
            ("all frames", camera["fps"] is None),
            ("no motion gate", not camera["motion"]),
            ("disabled", not camera["enabled"]),
            ("detect off", not camera["detect"]),
        )
        if applies
    ]
    return "; ".join(words)
