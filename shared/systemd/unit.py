"""The systemd unit by which one of our processes is started: its text, from what it is to run. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

UNIT_PREFIX = "deepthings-"

SERVICE_ROLES = ("gateway", "edge", "camera")
"""Commands that run for ever."""

ENVIRONMENT_FILE = Path("/etc/deepthings/environment")
"""NAME=value on each line, for what a configuration has as ${NAME}; only root needs to read it."""

BACKOFF_VERSION = 254
"""The first systemd with RestartSteps=; earlier ones warn of it, and try again at an even pace."""

UNIT_TEMPLATE = """\
# Written by 'deepthings service install {role}'; 'deepthings service uninstall {gone}' removes it.
[Unit]
Description=DeepThings {purpose}
Wants=network-online.target
After=network-online.target mosquitto.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command}
{reload}User={user}
{settings}# With a minute of silence of its event loop it hangs: it is ended and started again.
WatchdogSec=60
TimeoutStartSec=5min
TimeoutStopSec=20
Restart=always
RestartSec=10
{backing_off}# The process stops what it has started, in order. One of these that takes too much memory ends alone.
KillMode=mixed
OOMPolicy=continue

# Hooks may use the network and read files, cameras are devices: neither is taken away. Nothing gains rights.
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=full
ProtectHome={homes}
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target

[X-DeepThings]
Facts={facts}
"""

FOLDER_SETTINGS = """\
StateDirectory=deepthings
StateDirectoryMode=0750
CacheDirectory=deepthings
"""
"""Those of a user without a home."""

BACKOFF_SETTINGS = """\
RestartSteps=5
RestartMaxDelaySec=5min
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """One process as a service. `arguments` are those behind the role; `environment` is what it gets beside them."""

    role: str
    executable: Path
    arguments: tuple[str, ...]
    user: str
    groups: tuple[str, ...] = ()
    camera: str = ""
    folder: Path | None = None
    """Where it is started: commands of hooks may be relative to it."""
    own_folders: bool = True
    """Whether it keeps its state in /var/lib/deepthings: the user has no home of its own."""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the unit, without .service."""
        return unit_name(self.role, self.camera)

    @property
    def command(self) -> tuple[str, ...]:
        """Return the words of what is started."""
        return str(self.executable), self.role, *self.arguments

    def text(self, systemd: int = 0) -> str:
        """Return the unit's file, for this version of systemd."""
        environment = [f"Environment={quote_word(f'{name}={value}')}" for name, value in self.environment.items()]
        settings = [
            *([f"WorkingDirectory=-{quote_word(str(self.folder))}"] if self.folder else []),
            *([f"SupplementaryGroups={' '.join(self.groups)}"] if self.groups else []),
            *environment,
            f"EnvironmentFile=-{ENVIRONMENT_FILE}",
        ]
        return UNIT_TEMPLATE.format(
            role=self.role,
            gone=f"{self.role} --name {self.camera}" if self.camera else self.role,
            purpose=f"{self.role} {self.camera}".strip(),
            command=" ".join(quote_word(word.replace("$", "$$")) for word in self.command),
            reload="ExecReload=/bin/kill -HUP $MAINPID\n" if self.role == "gateway" else "",
            user=self.user,
            settings="".join(f"{line}\n" for line in settings) + (FOLDER_SETTINGS if self.own_folders else ""),
            backing_off=BACKOFF_SETTINGS if systemd >= BACKOFF_VERSION else "",
            homes="read-only" if self.own_folders else "no",
            facts=json.dumps(self._facts()),
        )

    def _facts(self) -> dict[str, object]:
        return {
            "role": self.role, "camera": self.camera, "executable": str(self.executable),
            "arguments": self.arguments, "user": self.user, "environment": self.environment,
        }  # fmt: skip


def unit_name(role: str, camera: str = "") -> str:
    """Return the name of the unit of a role, for a camera with the camera's."""
    return f"{UNIT_PREFIX}{role}{f'-{camera}' if camera else ''}"


def read_unit(text: str) -> Unit | None:
    """Return what a unit that we have written starts; None for one of others, or of which nothing can be told."""
    found = re.search(r"^Facts=(.*)$", text, re.MULTILINE)
    try:
        facts = json.loads(found[1]) if found else {}
        return Unit(
            role=facts["role"], camera=facts["camera"], executable=Path(facts["executable"]),
            arguments=tuple(facts["arguments"]), user=facts["user"], environment=dict(facts["environment"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None


def quote_word(word: str) -> str:
    """Return a word as systemd.syntax(7) wants it: no specifier is in it, and blanks do not divide it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    escaped = escaped.replace("\n", "\\n").replace("\t", "\\t")
    return escaped if re.fullmatch(r"[A-Za-z0-9_./:@,=%$+-]+", escaped) and word else f'"{escaped}"'
