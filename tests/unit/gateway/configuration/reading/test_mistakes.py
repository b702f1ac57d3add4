"""Bad files, and exactly what is said of them."""

from __future__ import annotations

import pytest

from camera_sources.urls.schemes import BUILT_IN_SOURCES
from gateway.configuration.reading.foreign_keys import FRIGATE_HINTS
from gateway.configuration.reading.mistakes import LocatedMistake, Mistake, dotted_path

CAMERA = """\
cameras:
  front:
    source: test://
"""
"""Keys of the camera follow from line 4 on."""

KEYS = [
    ("prt: 5", "1: prt: unknown key; known: mqtt, model, cluster, objects, cameras, profiles, home_assistant, "
     "frigate_compat, page, hooks, state"),
    ("camera: {}", "1: camera: unknown key; did you mean 'cameras'?"),
    ("mqtt:\n  Port: 5", "2: mqtt.Port: unknown key; did you mean 'port'?"),
    ("objects:\n  filters:\n    person:\n      min_scor: 1",
     "4: objects.filters.person.min_scor: unknown key; did you mean 'min_score'?"),
    (CAMERA + "    zons: {}", "4: cameras.front.zons: unknown key; did you mean 'zones'?"),
    (CAMERA + "    motion:\n      enable: true",
     "5: cameras.front.motion.enable: unknown key; did you mean 'enabled'?"),
    ("hooks:\n  webhooks:\n  - url: http://h/\n    secrets: x",
     "4: hooks.webhooks[0].secrets: unknown key; did you mean 'secret'?"),
    ("cameras:\n  front:\n    fps: 5", "2: cameras.front.source: is missing; write source: and its value"),
    ("cameras:\n  front:", "2: cameras.front.source: is missing; write source: and its value"),
    (CAMERA + "    zones:\n      yard:",
     "5: cameras.front.zones.yard.coordinates: is missing; write coordinates: and its value"),
    ("hooks:\n  webhooks:\n  - events: new", "3: hooks.webhooks[0].url: is missing; write url: and its value"),
    ("mqtt:\n  port: 1\n  host: h\n  port: 2", "4: mqtt.port: written twice, in line 2 and in line 4; keep one"),
    (CAMERA + "  front:\n    source: x", "4: cameras.front: written twice, in line 2 and in line 4; keep one"),
]  # fmt: skip

ADDRESSES = [
    (f"cameras: {{front: {{source: '{source}'}}}}", f"1: cameras.front.source: {said}")
    for source, said in (
        ("ffmpeg:rtsp://10.0.0.1/x#video=h264",
         "ffmpeg: before an address is another program's; remove it"),
        ("192.168.1.20:554/stream", "the kind of address is missing; write rtsp:// or http:// before it"),
        ("cam.local/video", "the kind of address is missing; write rtsp:// or http:// before it"),
        ("u:p@192.168.1.20/", "the kind of address is missing; write rtsp:// or http:// before it"),
        ("rtsp://u:{FRIGATE_RTSP_PASSWORD}@h/", "{FRIGATE_RTSP_PASSWORD} is not replaced here; write "
         "${FRIGATE_RTSP_PASSWORD}"),
        ("rtsp://u:12/34@h/a", "ambiguous; write #, /, ? and @ of a password as %23, %2F, %3F and "
         "%40, or @ in a path as %40"),
    )
]  # fmt: skip

FOREIGN = [
    ("mqtt: {user: me}", "1: mqtt.user: a key of Frigate, which is unknown here; write username:"),
    ("detectors: {cpu: {type: cpu}}", "1: detectors: a key of Frigate, which is unknown here; remove it: edges "
     "compute, and are found automatically"),
    (CAMERA + "    detect: {fps: 5}", "4: cameras.front.detect.fps: a key of Frigate, which is unknown here; write "
     "fps: of the camera, beside source:"),
    ("cameras:\n  front:\n    source:rtsp://h/", "2: cameras.front: this is one text; write a space after source:"),
]  # fmt: skip

TYPES = [
    ("- mqtt", "1: a list is not a section; write its keys below it, indented, each with a colon"),
    ("mqtt: 5", "1: mqtt: 5 is not a section; write its keys below it, indented, each with a colon"),
    ("cameras:\n- front", "1: cameras: a list is not a section; write its names below it, indented, each with a colon"),
    ("mqtt:\n  port: many", "2: mqtt.port: 'many' is not an integer; write digits alone, for example 30"),
    ("mqtt:\n  port: 1.5", "2: mqtt.port: 1.5 is not an integer; write digits alone, for example 30"),
    ("mqtt:\n  port: 70000", "2: mqtt.port: 70000 is too large; write at most 65535"),
    ("mqtt:\n  port: 0", "2: mqtt.port: 0 is too small; write 1 or more"),
    (CAMERA + "    fps: 0",
     "4: cameras.front.fps: invalid frame rate; write a number above 0 and up to 240, or all"),
    (CAMERA + "    fps: every",
     "4: cameras.front.fps: invalid frame rate; write a number above 0 and up to 240, or all"),
    ("objects:\n  filters:\n    person:\n      threshold: .inf",
     "4: objects.filters.person.threshold: .inf is not a finite number; write for example 30 or 0.5"),
    ("objects:\n  filters:\n    person:\n      threshold: [5]",
     "4: objects.filters.person.threshold: a list is not a number; write for example 30 or 0.5"),
    (CAMERA + "    rotate: 45", "4: cameras.front.rotate: 45 is unknown; known: 0, 90, 180, 270"),
    (CAMERA + "    kind: snapshots", "4: cameras.front.kind: 'snapshots' is unknown; did you mean 'snapshot'?"),
    (CAMERA + "    enabled: maybe", "4: cameras.front.enabled: 'maybe' is neither true nor false; write true or false"),
    (CAMERA + "    friendly_name: 007", "4: cameras.front.friendly_name: this is a number, not text; put it in quotes"),
    (CAMERA + "    friendly_name: true",
     "4: cameras.front.friendly_name: this is true or false, not text; put it in quotes: 'true'"),
    (CAMERA + "    friendly_name: [a]", "4: cameras.front.friendly_name: a list is not text; write one value"),
    (CAMERA + "    friendly_name: ''", "4: cameras.front.friendly_name: empty; write at least one"),
    (CAMERA + "    stale_after: 1:30",
     "4: cameras.front.stale_after: not a duration; write seconds, for example 30, or 30s, 5m, 1h"),
    (CAMERA + "    stale_after: 2d", "4: cameras.front.stale_after: 2d is too large; write at most 86400"),
    (CAMERA + "    crop: [0, 0, 1]", "4: cameras.front.crop: must be four numbers; write left, top, right, "
     "bottom in parts of the picture, for example [0, 0.2, 1, 1]"),
    (CAMERA + "    crop: [0.5, 0, 0.5, 1]", "4: cameras.front.crop: must enclose a part of the picture; write left, "
     "top, right, bottom in parts of the picture, for example [0, 0.2, 1, 1]"),
    ("model:\n  weights: 5", "2: model.weights: 5 is not a path; write the path of a file"),
    ("hooks:\n  commands:\n  - command: echo",
     "3: hooks.commands[0].command: 'echo' is not a list; write [a, b], or each item on its own line after a -"),
    ("hooks:\n  commands:\n  - command: []", "3: hooks.commands[0].command: empty; write at least one"),
    ("hooks:\n  commands:\n  - command: [5]",
     "3: hooks.commands[0].command[0]: this is a number, not text; put it in quotes"),
    ("hooks:\n  webhooks:\n  - url: http://h/\n    events: [news]",
     "4: hooks.webhooks[0].events[0]: 'news' is unknown; did you mean 'new'?"),
    ("cluster:\n  method: ftp-wts", "2: cluster.method: 'ftp-wts' is unknown; did you mean 'ftp-wst'?"),
    ("cluster:\n  policy: random",
     "2: cluster.policy: 'random' is unknown; known: fewest-frames, round-robin, longest-queue"),
    ("cluster:\n  grid: 3", "2: cluster.grid: invalid grid; write rows x columns, for example 3x3"),
    ("cluster:\n  grid: 0x3", "2: cluster.grid: invalid grid; write rows x columns, for example 3x3"),
    ("cluster:\n  grid: 100x1", "2: cluster.grid: too many tiles; write at most 99x99"),
]  # fmt: skip

NAMES = [
    ("cameras:\n  Front Door:\n    source: test://", "2: cameras.Front Door: invalid name; write lower-case "
     "letters, digits, - and _, at most 63 of them, for example front_door"),
    ("cameras:\n  '???':\n    source: test://",
     "2: cameras.???: invalid name; write lower-case letters, digits, - and _, at most 63 of them"),
    ("cameras:\n  all:\n    source: test://",
     "2: cameras.all: reserved word, as topics use it; write another, for example all_1"),
    (CAMERA + "    zones:\n      snapshot:\n        coordinates: 0,0,1,0,1,1",
     "5: cameras.front.zones.snapshot: reserved word, as topics use it; write another, for example snapshot_1"),
    (CAMERA + "    zones:\n      Yard:\n        coordinates: 0,0,1,0,1,1", "5: cameras.front.zones.Yard: invalid name; "
     "write lower-case letters, digits, - and _, at most 63 of them, for example yard"),
    (CAMERA + "    edge: Pi 4", "4: cameras.front.edge: invalid name; write lower-case letters, digits, - and "
     "_, at most 63 of them, for example pi_4"),
    ("objects:\n  track:\n  - person\n  - Event", "4: objects.track[1]: reserved word, as topics use it; rename the "
     "label in the description of the model"),
    ("objects:\n  track: '?'", "2: objects.track: invalid label; write it as the model has it, for example person"),
    ("objects:\n  track: [traffic light, traffic_light]",
     "2: objects.track: 'traffic light' and 'traffic_light' are the same word in topics; keep one of them"),
    ("objects:\n  track: [cat, cat]", "2: objects.track: a word is written twice; keep one of them"),
    ("objects:\n  filters:\n    Cat: {}\n    cat: {}",
     "2: objects.filters: 'Cat' and 'cat' are the same word in topics; keep one of them"),
    ("mqtt:\n  topic_prefix: home/#", "2: mqtt.topic_prefix: invalid topic prefix; write letters, digits, - and _, "
     "with / between levels, without + and #"),
    ("mqtt:\n  host: box:1883", "2: mqtt.host: invalid host; write only a name or an address, the "
     "port has its own key"),
]  # fmt: skip

PLACES = [
    (CAMERA + "    zones:\n      yard:\n        coordinates: 0,0,1,1,1,0,0,1",
     "6: cameras.front.zones.yard.coordinates: the sides from corner 1 and from corner 3 cross or touch; list the "
     "corners in their order around it"),
    (CAMERA + "    motion:\n      mask:\n      - 0,0,1,0,1,1\n      - 0,0,1,0,1,-1",
     "7: cameras.front.motion.mask[1]: -1 is negative; write parts of the picture from 0 to 1, or pixels"),
    ("objects:\n  mask: 0,0,1,1", "2: objects.mask: 2 corners enclose no area; write three or more"),
    ("objects:\n  filters:\n    cat:\n      min_area: 0.5\n      max_area: 0.2",
     "3: objects.filters.cat: min_area is greater than max_area, so nothing fits; swap them"),
    ("objects:\n  filters:\n    cat:\n      min_ratio: 3\n      max_ratio: 2",
     "3: objects.filters.cat: min_ratio is greater than max_ratio, so nothing fits; swap them"),
    ("cameras:\n  front:\n    source: rtps://h/",
     "3: cameras.front.source: unknown kind of address, rtps://; did you mean 'rtsps'?"),
    ("cameras:\n  front:\n    source: rtsp:/h",
     "3: cameras.front.source: slashes are missing after rtsp:; write rtsp://"),
    ("cameras:\n  front:\n    source: ' '", "3: cameras.front.source: empty; write for example "
     "rtsp://user:password@host/stream or /dev/video0"),
    ("hooks:\n  webhooks:\n  - url: mqtt://h/",
     "3: hooks.webhooks[0].url: invalid address; write http://host/path or https://host/path"),
    ("hooks:\n  webhooks:\n  - url: http://u:p/w@h/", "3: hooks.webhooks[0].url: no host and port found in it; "
     "write http://host/path or http://user:password@host:port/path, with /, @, # and : of a password as %2F, %40, %23 "
     "and %3A"),
]  # fmt: skip

REFERENCES = [
    (CAMERA + "hooks:\n  webhooks:\n  - url: http://h/\n    cameras: [front, frnt]",
     "7: hooks.webhooks[0].cameras: camera 'frnt' not found; did you mean 'front'?"),
    (CAMERA + "hooks:\n  commands:\n  - command: [x]\n    zones: yard",
     "7: hooks.commands[0].zones: no camera has a zone 'yard'; there are none"),
    (CAMERA + "    zones:\n      yard:\n        coordinates: 0,0,1,0,1,1\n  back:\n    source: test://\n"
     "hooks:\n  commands:\n  - command: [x]\n    cameras: back\n    zones: yard",
     "13: hooks.commands[0].zones: none of its cameras has a zone 'yard'; there are none"),
    (CAMERA + "profiles:\n  away:\n    cameras:\n      frnt: {detect: off}",
     "7: profiles.away.cameras.frnt: camera 'frnt' not found; did you mean 'front'?"),
    (CAMERA + "    zones:\n      yard:\n        coordinates: 0,0,1,0,1,1\n"
     "profiles:\n  home:\n  away:\n    cameras:\n      front: {zones: {yrd: off}}",
     "11: profiles.away.cameras.front.zones.yrd: the camera has no zone 'yrd'; did you mean 'yard'?"),
    ("cluster:\n  method: whole\n  grid: 2x2",
     "3: cluster.grid: method whole does not divide frames; remove it, or write method: ftp-wst"),
    ("cluster:\n  method: bodp\n  grid: 2x2",
     "3: cluster.grid: method bodp divides along one axis, not into 2x2; write 4x1"),
    ("cluster:\n  data_port: 1883", "2: cluster.data_port: mqtt.port has the same value; write another"),
    ("mqtt:\n  host: 1.2.3.4.5", "2: mqtt.host: invalid address; write four numbers up to 255, for "
     "example 192.168.1.10"),
    ("mqtt:\n  host: localhost\n  port: 7883", "3: mqtt.port: the gateway's own broker uses this port for edges; write "
     "the port of your broker"),
    ("mqtt:\n  port: 7883", "1: cluster.port: mqtt.port has the same value; write another"),
    ("cluster:\n  data_port: 7883", "2: cluster.data_port: cluster.port has the same value; write another"),
    ("mqtt:\n  host: box\n  password: x", "1: mqtt: password without username; write username"),
    ("mqtt:\n  username: me", "1: mqtt: a login without a broker; write host, the name or address of the broker it "
     "is for"),
    ("mqtt:\n  host: box\n  tls:\n    key: k.pem", "4: mqtt.tls.key: file not found on this machine; write the path of "
     "a PEM file"),
    ("mqtt:\n  host: box\n  tls: maybe", "3: mqtt.tls: 'maybe' is not a section; write its keys below it, indented, "
     "each with a colon"),
    ("mqtt:\n  host: box\n  client_id: 'a b'", "3: mqtt.client_id: invalid client id; write up to 200 "
     "letters, digits and signs, without spaces"),
    ("home_assistant:\n  discovery_prefix: deepthings",
     "2: home_assistant.discovery_prefix: mqtt.topic_prefix has the same value; write another"),
    ("frigate_compat:\n  enabled: yes\n  topic_prefix: homeassistant",
     "3: frigate_compat.topic_prefix: home_assistant.discovery_prefix has the same value; write another"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), KEYS + ADDRESSES + FOREIGN + TYPES + NAMES + PLACES + REFERENCES)
def test_a_mistake_is_told_with_its_line_and_what_would_be_right(told, text, expected):
    assert told(text) == [f"deepthings.yaml:{expected}"]


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(told):
    text = """\
mqtt: {prot: 5}
objects:
  track: person
  filters:
    persn: {min_area: 5, max_area: 3, min_scor: 1}
cameras:
  front:
    fps: 500
    zones:
      yard: {inertia: 0}
      zones: {coordinates: 1}
  front:
    source: test://
  back:
    source: ${NOWHERE}
    sorce: x
hooks:
  webhooks:
  - just text
  - url: 5
    cameras: frnt
    zones: [yrd]
"""
    assert [line.removeprefix("deepthings.yaml:").rpartition("; ")[0] for line in told(text)] == [
        "1: mqtt.prot: unknown key",
        "5: objects.filters.persn: min_area is greater than max_area, so nothing fits",
        "5: objects.filters.persn.min_scor: unknown key",
        "7: cameras.front.source: is missing",
        "8: cameras.front.fps: invalid frame rate",
        "10: cameras.front.zones.yard.coordinates: is missing",
        "10: cameras.front.zones.yard.inertia: 0 is too small",
        "11: cameras.front.zones.zones: reserved word, as topics use it",
        "11: cameras.front.zones.zones.coordinates: not a polygon",
        "12: cameras.front: written twice, in line 7 and in line 12",
        "15: cameras.back.source: the environment variable NOWHERE is not set",
        "16: cameras.back.sorce: unknown key",
        "19: hooks.webhooks[0]: 'just text' is not a section",
        "20: hooks.webhooks[1].url: this is a number, not text",
        "21: hooks.webhooks[1].cameras: camera 'frnt' not found",
        "22: hooks.webhooks[1].zones: none of its cameras has a zone 'yrd'",
    ]


def test_what_a_mistake_brings_about_is_not_told_as_another(told):
    """A camera with a bad key is still there for the hook, and one whose address is not known has one."""
    text = (
        CAMERA
        + "    fps: -1\n  back:\n    source: ${NOWHERE}\n"
        + "hooks:\n  commands:\n  - command: [x]\n    cameras: [front, back]"
    )
    assert [line.split(":")[1] for line in told(text)] == ["4", "6"]


def test_labels_are_checked_against_those_of_the_model(reading):
    text = (
        "objects:\n  track: [person, persn]\n"
        + CAMERA
        + """\
    objects:
      track: dog
      filters: {dgo: {}}
    zones:
      yard:
        coordinates: 0,0,1,0,1,1
        objects: [kat]
        filters: {cow: {}}
hooks:
  commands:
  - command: [x]
    labels: bird
"""
    )
    mistakes = reading(text).check_labels(["person", "dog", "cat"]).mistakes
    assert [(mistake.line, mistake.path, mistake.what, mistake.right) for mistake in mistakes] == [
        (2, "objects.track[1]", "the model has no label 'persn'", "did you mean 'person'?"),
        (8, "cameras.front.objects.filters.dgo", "the model has no label 'dgo'", "did you mean 'dog'?"),
        (12, "cameras.front.zones.yard.objects[0]", "the model has no label 'kat'", "did you mean 'cat'?"),
        (13, "cameras.front.zones.yard.filters.cow", "the model has no label 'cow'", "known: person, dog, cat"),
        (17, "hooks.commands[0].labels[0]", "the model has no label 'bird'", "known: person, dog, cat"),
    ]


def test_a_model_without_labels_is_not_asked(reading):
    assert reading("objects: {track: unheard of}").check_labels([]).mistakes == ()


def test_a_default_that_the_model_does_not_know_is_told_too(reading):
    (mistake,) = reading("mqtt: {}").check_labels(["cat"]).mistakes
    assert (mistake.line, mistake.path) == (1, "objects.track[0]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mqtt: {}", "cameras: there are no cameras; write their names below it"),
        (CAMERA + "    zones: {yard: {coordinates: '0,0,1,0,1,1', objects: [person, cat]}}",
         "cameras.front.zones.yard.objects: this camera does not follow 'cat'; add it to track of its objects"),
        (CAMERA + "hooks: {commands: [{command: [x], labels: cat}]}",
         "hooks.commands[0].labels: no camera follows 'cat'; add it to track of objects"),
    ],
)  # fmt: skip
def test_what_is_seldom_meant_is_a_warning(reading, text, expected):
    read = reading(text)
    assert not read.mistakes
    assert [str(warning).partition(": ")[2] for warning in read.warnings] == [expected]


def test_paths_are_written_as_people_do():
    assert dotted_path(()) == ""
    assert dotted_path(("hooks", "webhooks", 0, "url")) == "hooks.webhooks[0].url"


def test_a_mistake_without_a_path_or_advice_is_a_line_all_the_same():
    assert str(LocatedMistake("a.yaml", 3, "", "bad")) == "a.yaml:3: bad"
    assert Mistake.parse(("a",), "bad; better; best") == Mistake(("a",), "bad", "better; best")


def test_a_kind_of_address_that_is_installed_elsewhere_is_no_mistake_but_told(reading):
    found = reading("cameras: {front: {source: 'canvas://louvre/1'}}")
    assert not found.mistakes
    assert [(each.path, each.what) for each in found.warnings] == [
        ("cameras.front.source", "canvas:// is not installed on this machine")
    ]


def test_cameras_of_which_one_has_a_wrong_name_are_not_said_to_be_missing(reading):
    found = reading("cameras: {Front Door: {source: 'test://'}}")
    assert len(found.mistakes) == 1
    assert not found.warnings


def test_every_kind_of_address_that_a_camera_opens_is_right(told):
    for scheme in BUILT_IN_SOURCES:
        assert told(f"cameras: {{front: {{source: '{scheme.upper()}://host/topic'}}}}") == []


@pytest.mark.parametrize("path", FRIGATE_HINTS)
def test_a_key_of_frigate_has_its_hint(told, path):
    names = [part if part != "*" else "front" for part in path]
    text = "{x: 1}"
    for part in reversed(names):
        text = f"{{{part}: {text}}}"
    text = text.replace("front: {", "front: {source: test://, ", 1)
    assert [line for line in told(text) if FRIGATE_HINTS[path] in line and "a key of Frigate" in line]
