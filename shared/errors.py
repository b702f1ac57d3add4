"""One error tree. A message says what is wrong, where, and what to do; commands print it on one line."""


class DeepThingsError(Exception):
    """Whatever this project raises on purpose. `exit_code` is what a command returns for it."""

    exit_code = 1


class ConfigurationError(DeepThingsError, ValueError):
    """What the user asked for cannot be: a bad option, name, address or grid."""

    exit_code = 2


class ModelError(DeepThingsError, ValueError):
    """A model that cannot be read, or that does not hold what is needed of it."""


class DamageError(ModelError):
    """What was prepared of a model, and kept, is not what was written; it can be made again."""


class WrongResultError(ModelError):
    """This machine computes another result for a tile than when it prepared the program."""


class CutError(ModelError):
    """The network cannot be cut or tiled there."""


class SourceError(DeepThingsError, OSError):
    """A camera, video or picture that cannot be read."""


class BrokerError(DeepThingsError, ConnectionError):
    """The MQTT broker cannot be started or reached, or refuses us."""


class NameTakenError(DeepThingsError):
    """Another process has the name that this one was given, and is alive."""


class ListenError(DeepThingsError, OSError):
    """A port that cannot be listened on."""


class ProtocolError(DeepThingsError):
    """A peer sent bytes that are not ours, too large, or out of place; its connection is closed."""


class VersionError(ProtocolError):
    """A peer speaks another version of the protocol."""


class PeerLostError(DeepThingsError, ConnectionError):
    """A peer went away in the middle of a conversation."""


class PeerTimeoutError(DeepThingsError, TimeoutError):
    """A peer did not answer, or stopped in mid-message."""
