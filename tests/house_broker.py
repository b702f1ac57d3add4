"""The broker of a house for tests: a real Mosquitto with users and rules, that nobody enters without a login."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.broker.mosquitto import find_mosquitto
from shared.mqtt.broker_login import Login, Tls
from shared.network.addresses import LOOPBACK, Address
from shared.process.children import parent_death_prefix, stop_process
from shared.process.local_cluster import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

GATEWAY, PEOPLE = "deepthings", "people"
PASSWORDS = {GATEWAY: "hunter2", PEOPLE: "correct horse"}
RULES = f"""user {GATEWAY}
topic readwrite deepthings/#
topic readwrite homeassistant/#
topic readwrite frigate/#
user {PEOPLE}
topic readwrite #
"""


@dataclass(frozen=True)
class Certificates:
    """An authority and what it has signed, as PEM files."""

    folder: Path

    def authority(self, name: str = "ca") -> Path:
        """Make an authority."""
        self._openssl("req", "-x509", *self._key(name), "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "2")
        return self.folder / f"{name}.pem"

    def signed(self, name: str, alternative: str, *, days: int = 2, by: str = "ca") -> Path:
        """Make a certificate for `alternative`, "IP:..." or "DNS:..."; one of -1 days has expired."""
        self._openssl("req", *self._key(name), "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-days", str(days), "-extfile", f"{name}.ext",
        )  # fmt: skip
        return self.folder / f"{name}.pem"

    @staticmethod
    def _key(name: str) -> tuple[str, ...]:
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.folder)


@dataclass
class HouseBroker:
    """A port in plain text; with certificates one more for each of them. Restarted, it has forgotten everything."""

    folder: Path
    certificates: dict[str, bool] = field(default_factory=dict)
    """By name in `folder`, whether clients need one, too."""
    rules: str = RULES
    passwords: dict[str, str] = field(default_factory=lambda: dict(PASSWORDS))
    address: Address = field(default_factory=lambda: Address(LOOPBACK, free_port()))
    _process: asyncio.subprocess.Process | None = None

    def __post_init__(self) -> None:
        self.encrypted = {name: Address(LOOPBACK, free_port()) for name in self.certificates}

    async def start(self) -> None:
        """Start with the users and rules as they are now."""
        (self.folder / "rules").write_text(self.rules)
        passwords = self.folder / "passwords"
        passwords.unlink(missing_ok=True)
        passwords.touch(mode=0o600)
        for name, password in self.passwords.items():
            command = ["mosquitto_passwd", "-b", str(passwords), name, password]
            await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(self._configuration())
        self._process = await asyncio.create_subprocess_exec(
            *parent_death_prefix(number=signal.SIGTERM), find_mosquitto(), "-c", str(configuration),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    (await asyncio.open_connection(*self.address))[1].close()
                    return
                await asyncio.sleep(0.05)

    def _configuration(self) -> str:
        lines = [
            "per_listener_settings false", "allow_anonymous false", f"password_file {self.folder / 'passwords'}",
            f"acl_file {self.folder / 'rules'}", "set_tcp_nodelay true", "persistence false", "log_dest none",
            *(["user root"] if os.geteuid() == 0 else []), f"listener {self.address.port} {LOOPBACK}",
        ]  # fmt: skip
        for name, mutual in self.certificates.items():
            files = {"cafile": "ca.pem", "certfile": f"{name}.pem", "keyfile": f"{name}.key"}
            lines += [f"listener {self.encrypted[name].port} {LOOPBACK}"]
            lines += [f"{key} {self.folder / file}" for key, file in files.items()]
            lines += ["require_certificate true"] if mutual else []
        return "\n".join([*lines, ""])

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self._process is not None
        await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGCONT)
            await stop_process(self._process, 5)

    def login(self, user: str = PEOPLE, tls: Tls | None = None) -> Login:
        return Login(user, PASSWORDS[user], tls)


@contextlib.asynccontextmanager
async def house_broker(folder: Path, **certificates: bool) -> AsyncIterator[HouseBroker]:
    """A broker that runs, for as long as the context lasts."""
    broker = HouseBroker(folder, certificates)
    try:
        await broker.start()
        yield broker
    finally:
        await broker.stop()
