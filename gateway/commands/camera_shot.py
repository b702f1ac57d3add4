"""`deepthings camera shot`: a picture to read the corners of zones from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from camera_sources.camera_settings import CameraSettings, parse_picture_part
from camera_sources.first_picture import HangingError, first_pictures
from camera_sources.open_source import missing_source_path
from camera_sources.urls.redaction import redacted
from gateway.annotation.boxes import write_picture
from gateway.cameras.zone_picture import draw_shot
from gateway.configuration.drawn_areas import drawn_areas_of
from gateway.configuration.paths import DEFAULT_CONFIGURATION_FILE
from shared.cli.common_options import NAME_TYPE, ParsedType, json_option
from shared.errors import ConfigurationError, DeepThingsError, SourceError
from shared.process.signals import exit_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camera_sources.camera_settings import PicturePart
    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.drawn_areas import DrawnArea
    from gateway.configuration.root import Configuration
    from shared.model.arrays import Pixels

SHOT_ENDINGS = (".jpg", ".jpeg", ".png")

EXAMPLE = """\
cameras:
  {name}:
    zones:
      {zone}:
        coordinates: "0.3,0.5, 0.7,0.5, 0.7,0.9, 0.3,0.9"
"""


def _parse_crop(text: str) -> PicturePart:
    try:
        return parse_picture_part(text)
    except ValueError as error:
        raise ConfigurationError(
            f"invalid crop {text!r}; write left, top, right, bottom, for example 0,0.2,1,1"
        ) from error


@click.command()
@click.argument("name", type=NAME_TYPE, required=False)
@click.option("--source", metavar="URL", help="The address of a camera, instead of its name.")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIGURATION_FILE,
    help="The configuration with NAME in it.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A .jpg or .png.  [default: NAME.jpg, or shot.jpg]",
)
@click.option("--rotate", type=click.Choice(["90", "180", "270"]), help="Turn the picture of --source, clockwise.")
@click.option("--crop", type=ParsedType("L,T,R,B", _parse_crop), help="The part of the picture of --source to use.")
@json_option
def command(
    name: str | None,
    source: str | None,
    file: Path,
    output: Path | None,
    rotate: str | None,
    crop: PicturePart | None,
    as_json: bool,
) -> None:
    """Write a picture of the camera NAME with a grid of tenths, to read the corners of a zone from.

    The picture comes from the camera itself, as configured; no gateway needs to run. The configured zones and masks are
    drawn.
    """
    if (name is None) == (source is None):
        raise click.UsageError("write either the name of a camera of the configuration, or --source URL")
    if name is not None and (rotate or crop):
        raise click.UsageError("--rotate and --crop need --source; for a camera NAME write them into the configuration")
    path = output or Path(f"{name or 'shot'}.jpg")
    if path.suffix.lower() not in SHOT_ENDINGS:
        raise ConfigurationError(f"{path}: invalid name of a picture; it must end in .jpg or .png")
    places: Sequence[DrawnArea] = ()
    if name is not None:
        configuration = _read_configuration(file)
        camera = _find_camera(configuration, file, name)
        places = list(drawn_areas_of(camera, configuration.objects_of(name)))
        picture = _take_picture(_camera_settings(name, camera), f"camera {name}")
    else:
        values = {"source": source, "rotate": int(rotate or 0), "crop": crop}
        picture = _take_picture(CameraSettings.model_validate(values), f"camera source {redacted(source or '')}")
    write_picture(path, draw_shot(picture, places))
    _report(path, picture, name, places, as_json=as_json)


def _read_configuration(file: Path) -> Configuration:
    """Return the configuration in a file. Raises ConfigurationError, also on an edge without YAML, with a remedy."""
    if not file.exists():
        raise ConfigurationError(f"configuration {file} not found; name it with --config, or the camera's --source")
    try:
        from gateway.configuration.reading.configuration_file import parse_configuration  # noqa: PLC0415  (an edge has no YAML)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the configuration cannot be read without {error.name}: pip install 'deepthings[gateway]', or take the "
            "picture with --source"
        ) from error
    return parse_configuration(file).require_valid()


def _find_camera(configuration: Configuration, file: Path, name: str) -> CameraSection:
    """Return the section of a camera. Raises ConfigurationError, which suggests a similar name."""
    if name not in configuration.cameras:
        from gateway.configuration.quoting import did_you_mean  # noqa: PLC0415

        raise ConfigurationError(
            f"camera {name!r} not found in {file}; {did_you_mean(name, sorted(configuration.cameras))}"
        )
    return configuration.cameras[name]


def _camera_settings(name: str, camera: CameraSection) -> CameraSettings:
    """Return the settings of a camera. Raises SourceError if only another device can read its source."""
    missing = missing_source_path(camera.source.get_secret_value())
    if missing is not None:
        device = f"the device of edge {camera.edge}" if camera.edge else "the device that has it"
        options = [f"--source {redacted(str(missing))}"]
        options += [f"--rotate {camera.rotate}"] if camera.rotate else []
        options += [f"--crop {','.join(f'{side:g}' for side in camera.crop)}"] if camera.crop else []
        raise SourceError(
            f"camera {name}: {redacted(str(missing))} not found on this device; run it on {device}: deepthings camera "
            f"shot {' '.join(options)}"
        )
    return CameraSettings.model_validate(
        {field: getattr(camera, field) for field in CameraSettings.model_fields if field != "motion"}
    )


def _take_picture(settings: CameraSettings, what: str) -> Pixels:
    """Take a picture. Raises DeepThingsError, which begins with the name of the camera."""
    found = first_pictures({what: settings})[what]
    if not isinstance(found, DeepThingsError):
        return found
    message = str(found) if str(found).startswith("camera source ") else f"{what}: {found}"
    if isinstance(found, HangingError):
        click.echo(f"Error: {message}", err=True)
        exit_now(found.exit_code)  # a normal exit would wait for the thread in the driver that hangs
    raise type(found)(message) from found


def _report(path: Path, picture: Pixels, name: str | None, places: Sequence[DrawnArea], *, as_json: bool) -> None:
    height, width = picture.shape[:2]
    zones = [place.name for place in places if place.is_zone]
    masks = [place.name for place in places if not place.is_zone]
    if as_json:
        print(json.dumps({"file": str(path), "width": width, "height": height, "zones": zones, "masks": masks}))
        return
    print(f"{path}: a picture of {width}x{height} pixels with a grid of tenths")
    if places:
        print(f"drawn in it: {', '.join(map(str, places))}")
    zone = "yard" if "yard" not in zones else "new_zone"
    print(
        "\nRead the corners of a zone in it, x,y in the order around it; 0,0 is the upper left, 1,1 the lower right:\n"
    )
    print(EXAMPLE.format(name=name or "front_door", zone=zone), end="")
