"""`deepthings camera shot`: a picture from which zones are written."""

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


def _part(text: str) -> PicturePart:
    try:
        return parse_picture_part(text)
    except ValueError as error:
        raise ConfigurationError(
            f"crop {text!r} is no part of a picture; write left, top, right, bottom, for example 0,0.2,1,1"
        ) from error


@click.command()
@click.argument("name", type=NAME_TYPE, required=False)
@click.option("--source", metavar="URL", help="In the place of a camera's name: what it is read from.")
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
@click.option("--crop", type=ParsedType("L,T,R,B", _part), help="What of it is used, in parts of the picture.")
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

    It is taken from the camera itself, as the configuration says; no gateway needs to run. Zones and masks that the
    configuration has are drawn.
    """
    if (name is None) == (source is None):
        raise click.UsageError("write either the name of a camera of the configuration, or --source URL")
    if name is not None and (rotate or crop):
        raise click.UsageError("--rotate and --crop are for --source: of a camera the configuration says them")
    path = output or Path(f"{name or 'shot'}.jpg")
    if path.suffix.lower() not in SHOT_ENDINGS:
        raise ConfigurationError(f"{path} is no name of a picture; end it in .jpg or .png")
    places: Sequence[DrawnArea] = ()
    if name is not None:
        configuration = _configuration(file)
        camera = _camera(configuration, file, name)
        places = list(drawn_areas_of(camera, configuration.objects_of(name)))
        picture = _picture(_settings(name, camera), f"camera {name}")
    else:
        told = {"source": source, "rotate": int(rotate or 0), "crop": crop}
        picture = _picture(CameraSettings.model_validate(told), f"camera source {redacted(source or '')}")
    write_picture(path, draw_shot(picture, places))
    _tell(path, picture, name, places, as_json=as_json)


def _configuration(file: Path) -> Configuration:
    """Read the file. Raises ConfigurationError; an edge that has no reader for it says what to install."""
    if not file.exists():
        raise ConfigurationError(f"configuration {file} not found; name it with --config, or the camera's --source")
    try:
        from gateway.configuration.reading.configuration_file import parse_configuration  # noqa: PLC0415  (an edge has no YAML, and needs none)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the configuration cannot be read without {error.name}: pip install 'deepthings[gateway]', or take the "
            "picture with --source"
        ) from error
    return parse_configuration(file).require_valid()


def _camera(configuration: Configuration, file: Path, name: str) -> CameraSection:
    """Return what is configured of a camera. Raises ConfigurationError with the one that may be meant."""
    if name not in configuration.cameras:
        from gateway.configuration.quoting import did_you_mean  # noqa: PLC0415

        raise ConfigurationError(
            f"camera {name!r} not found in {file}; {did_you_mean(name, sorted(configuration.cameras))}"
        )
    return configuration.cameras[name]


def _settings(name: str, camera: CameraSection) -> CameraSettings:
    """Return how a camera is read. Raises SourceError for one that only another device can read."""
    missing = missing_source_path(camera.source.get_secret_value())
    if missing is not None:
        where = f"the device of edge {camera.edge}" if camera.edge else "the device that has it"
        options = [f"--source {redacted(str(missing))}"]
        options += [f"--rotate {camera.rotate}"] if camera.rotate else []
        options += [f"--crop {','.join(f'{side:g}' for side in camera.crop)}"] if camera.crop else []
        raise SourceError(
            f"camera {name}: {redacted(str(missing))} not found on this device; run it on {where}: deepthings camera "
            f"shot {' '.join(options)}"
        )
    return CameraSettings.model_validate(
        {field: getattr(camera, field) for field in CameraSettings.model_fields if field != "motion"}
    )


def _picture(settings: CameraSettings, what: str) -> Pixels:
    """Take it. Raises DeepThingsError that begins with what was read."""
    found = first_pictures({what: settings})[what]
    if not isinstance(found, DeepThingsError):
        return found
    said = str(found) if str(found).startswith("camera source ") else f"{what}: {found}"
    if isinstance(found, HangingError):
        click.echo(f"Error: {said}", err=True)
        exit_now(found.exit_code)  # the interpreter would wait for the driver
    raise type(found)(said) from found


def _tell(path: Path, picture: Pixels, name: str | None, places: Sequence[DrawnArea], *, as_json: bool) -> None:
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
