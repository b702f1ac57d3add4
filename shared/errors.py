"""The error tree. A message says where something is wrong, what, and what to do; commands print it on one line."""


class DeepThingsError(Exception):
    """The base of all errors that this project raises on purpose. `exit_code` is the exit code of the command."""

    exit_code = 1


class ConfigurationError(DeepThingsError, ValueError):
    """An invalid option, name, address, grid or configuration."""

    exit_code = 2


class ModelError(DeepThingsError, ValueError):
    """A model that cannot be read or used."""


class DamageError(ModelError):
    """A prepared model in the cache is damaged; it can be prepared again."""


class WrongResultError(ModelError):
    """This machine no longer computes the same values for a tile as when it prepared the program."""


class ProgramRefusedError(ModelError):
    """A program that this device must not open: it could do something else than compute, or exceeds a limit."""


class CutError(ModelError):
    """The network cannot be cut or tiled at this layer."""


class SourceError(DeepThingsError, OSError):
    """A camera, video or picture that cannot be read."""


class BrokerError(DeepThingsError, ConnectionError):
    """The MQTT broker cannot be started or reached, or refuses the connection."""


class NameTakenError(DeepThingsError):
    """Another running process has the name of this one."""


class ListenError(DeepThingsError, OSError):
    """A port that cannot be listened on."""


class ProtocolError(DeepThingsError):
    """A peer sent invalid, too large or unexpected data; its connection is closed."""


class VersionError(ProtocolError):
    """A peer has an incompatible version of the protocol."""


class PeerRefusedError(DeepThingsError, PermissionError):
    """A peer is not the member of the cluster that it must be, or may not become one."""


class PeerLostError(DeepThingsError, ConnectionError):
    """The connection with a peer was lost in the middle of an exchange."""


class PeerTimeoutError(DeepThingsError, TimeoutError):
    """A peer did not answer in time, or stopped in the middle of a message."""


class AnnouncementError(DeepThingsError, OSError):
    """A gateway cannot be announced or looked for on the network."""
