"""The section of the house's broker: address and login."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003  (pydantic reads annotations)
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from gateway.configuration.names import ConfiguredHost, TopicPrefix
from gateway.configuration.paths import LocalPath
from shared.mqtt.broker_login import Login
from shared.mqtt.broker_login import Tls as TlsLogin
from shared.network.ports import PUBLIC_PORT, PUBLIC_TLS_PORT
from shared.settings.section import Section

MAX_CLIENT_ID_LENGTH = 200
"""Characters of a client id. MQTT allows more, but brokers need not accept them; a name claim appends a few more."""


def check_client_id(text: str) -> str:
    """Return `text` if it is a valid client id; else raise ValueError."""
    if not re.fullmatch(r"[!-~]+", text) or len(text) > MAX_CLIENT_ID_LENGTH:
        raise ValueError(
            f"invalid client id; write up to {MAX_CLIENT_ID_LENGTH} letters, digits and signs, without spaces"
        )
    return text


def require_file(path: Path) -> Path:
    """Return `path` if it is an existing file; else raise ValueError."""
    if not path.is_file():
        raise ValueError("file not found on this machine; write the path of a PEM file")
    return path


def expand_switch(value: object) -> object:
    """Return an empty section for `true`, and None for `false`; other values as they are."""
    return {} if value is True else None if value is False else value


PemFile = Annotated[LocalPath, AfterValidator(require_file)]


class TlsSection(Section):
    """An encrypted connection with the broker. `tls: true` trusts the authorities that this machine trusts."""

    ca: PemFile | None = None
    """The authority that signed the broker's certificate; without it those that this machine trusts."""
    certificate: PemFile | None = None
    """The gateway's own certificate, if the broker requires one."""
    key: PemFile | None = None
    """The key of that certificate, without a password; not needed when the certificate's file has it."""
    server_name: ConfiguredHost | None = None
    """The name in the broker's certificate, if it is not `host`."""
    insecure: bool = False
    """Trust any certificate. Anyone between gateway and broker can then read and change everything."""

    @model_validator(mode="after")
    def _require_certificate(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("key without certificate; write certificate, or remove key")
        return self

    @property
    def login(self) -> TlsLogin:
        """Return the settings of a connection."""
        return TlsLogin(self.ca, self.certificate, self.key, self.server_name, insecure=self.insecure)


class MqttSection(Section):
    """The broker of the house, for people and automations; without a host the gateway's own broker serves them, too."""

    host: ConfiguredHost | None = None
    """The broker's name or address; without it people and automations use the gateway's own broker."""
    port: int = Field(default=PUBLIC_PORT, ge=1, le=65535)
    """The broker's port; 8883 with `tls`. Without a host, the port of the gateway's own broker."""
    tls_port: int = Field(default=PUBLIC_TLS_PORT, ge=1, le=65535)
    """Without a host, the encrypted port of the gateway's own broker; not opened on loopback."""
    username: str | None = Field(default=None, min_length=1, max_length=1000)
    """The gateway's user name at the broker."""
    password: SecretStr | None = Field(default=None, min_length=1, max_length=10_000)
    """Its password; write `!secret mqtt_password`, and the password in secrets.yaml."""
    tls: Annotated[
        TlsSection | None, BeforeValidator(expand_switch, json_schema_input_type=TlsSection | bool | None)
    ] = None
    """Encryption; `true`, or its settings."""
    client_id: Annotated[str, AfterValidator(check_client_id)] | None = None
    """The MQTT client id, if the broker's access rules require one; by default deepthings-gateway."""
    topic_prefix: TopicPrefix = "deepthings"
    """The first level of every topic."""

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        if self.password is not None and self.username is None:
            raise ValueError("password without username; write username")
        if self.host is None and (self.username or self.tls or self.client_id):
            raise ValueError("a login without a broker; write host, the name or address of the broker it is for")
        if self.tls is not None and "port" not in self.model_fields_set:
            object.__setattr__(self, "port", PUBLIC_TLS_PORT)
        return self

    @property
    def login(self) -> Login:
        """Return the login of the gateway."""
        password = None if self.password is None else self.password.get_secret_value()
        return Login(self.username, password, None if self.tls is None else self.tls.login)
