"""What a configuration says, in short. Pure; nothing secret is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from camera_sources.urls.schemes import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.root import Configuration


def summarise(configuration: Configuration) -> dict[str, Any]:
    """The same as values for JSON."""
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
    """The same for people."""
    told = summarise(configuration)
    yield f"model     {told['model']}, method {told['method']}{', grid ' + told['grid'] if told['grid'] else ''}"
    yield f"broker    {told['broker']}, port {told['port']}, topics below {told['topic_prefix']}/"
    yield f"cameras   {len(told['cameras'])}"
    width = max((len(name) for name in told["cameras"]), default=0)
    for name, camera in told["cameras"].items():
        yield f"  {name:{width}}  {_in_words(camera)}"
    on = [
        words
        for key, words in (("home_assistant", "Home Assistant"), ("frigate_compat", "Frigate's topics"))
        if told[key]
    ]
    on += [f"{told[key]} {key[:-1]}{'s' if told[key] > 1 else ''}" for key in ("webhooks", "commands") if told[key]]
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


def _in_words(camera: dict[str, Any]) -> str:
    words = [
        f"{camera['source']} to {camera['edge'] or 'any edge'}",
        "follows " + (", ".join(camera["labels"]) or "nothing"),
    ]
    if camera["zones"]:
        words.append("zones " + ", ".join(camera["zones"]))
    words += [
        word
        for word, says in (
            ("all frames", camera["fps"] is None),
            ("no motion gate", not camera["motion"]),
            ("disabled", not camera["enabled"]),
            ("detect off", not camera["detect"]),
        )
        if says
    ]
    return "; ".join(words)
