"""The text of the systemd unit that starts one of our processes. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

UNIT_PREFIX = "deepthings-"

SERVICE_ROLES = ("gateway", "edge", "camera")
"""The commands that run as services."""

ENVIRONMENT_FILE = Path("/etc/deepthings/environment")
"""Lines NAME=value for ${NAME} in a configuration; only root needs to read it."""

BACKOFF_VERSION = 254
"""The first version of systemd with RestartSteps=; earlier ones would log a warning, and restart at equal intervals."""

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
{settings}# If the event loop is silent for a minute, the process hangs: it is ended and started again.
WatchdogSec=60
TimeoutStartSec=5min
TimeoutStopSec=20
Restart=always
RestartSec=10
{backing_off}# The process stops its children itself, in order. A child that takes too much memory ends alone.
KillMode=mixed
OOMPolicy=continue

# Hooks can use the network and files, and cameras are devices, so these stay available. No process gains privileges.
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
"""The folders of our own user, which has no home."""

BACKOFF_SETTINGS = """\
RestartSteps=5
RestartMaxDelaySec=5min
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """One process as a service. `arguments` follow the role; `environment` has additional variables."""

    role: str
    executable: Path
    arguments: tuple[str, ...]
    user: str
    groups: tuple[str, ...] = ()
    camera: str = ""
    folder: Path | None = None
    """The working folder: commands of hooks can be relative to it."""
    own_folders: bool = True
    """True: its state is in /var/lib/deepthings, as its user has no home."""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of the unit, without .service."""
        return unit_name(self.role, self.camera)

    @property
    def command(self) -> tuple[str, ...]:
        """Return the words of the command."""
        return str(self.executable), self.role, *self.arguments

    def text(self, systemd: int = 0) -> str:
        """Return the text of the unit file for this version of systemd."""
        environment = [f"Environment={quote_unit_word(f'{name}={value}')}" for name, value in self.environment.items()]
        settings = [
            *([f"WorkingDirectory=-{quote_unit_word(str(self.folder))}"] if self.folder else []),
            *([f"SupplementaryGroups={' '.join(self.groups)}"] if self.groups else []),
            *environment,
            f"EnvironmentFile=-{ENVIRONMENT_FILE}",
        ]
        return UNIT_TEMPLATE.format(
            role=self.role,
            gone=f"{self.role} --name {self.camera}" if self.camera else self.role,
            purpose=f"{self.role} {self.camera}".strip(),
            command=" ".join(quote_unit_word(word.replace("$", "$$")) for word in self.command),
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
    """Return the name of the unit of a role; that of a camera ends with the camera's name."""
    return f"{UNIT_PREFIX}{role}{f'-{camera}' if camera else ''}"


def read_unit(text: str) -> Unit | None:
    """Return the unit that the text of our unit file describes; None for the text of any other file."""
    found = re.search(r"^Facts=(.*)$", text, re.MULTILINE)
    try:
        facts = json.loads(found[1]) if found else {}
        return Unit(
            role=facts["role"], camera=facts["camera"], executable=Path(facts["executable"]),
            arguments=tuple(facts["arguments"]), user=facts["user"], environment=dict(facts["environment"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None


def quote_unit_word(word: str) -> str:
    """Return a word quoted by systemd.syntax(7), with its specifiers escaped."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    escaped = escaped.replace("\n", "\\n").replace("\t", "\\t")
    return escaped if re.fullmatch(r"[A-Za-z0-9_./:@,=%$+-]+", escaped) and word else f'"{escaped}"'
