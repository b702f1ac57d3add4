"""The message for a client that a gateway's broker refuses. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.mqtt.client_ids import EDGE_LOGIN_PREFIX
from shared.network.ports import CLUSTER_PORT

if TYPE_CHECKING:
    from shared.mqtt.broker_login import Login
    from shared.network.addresses import Address


def refusal_message(broker: Address, login: Login, reason: str) -> str:
    """Return why a broker refuses this login, and what to do. `reason` is the broker's own, which is not specific."""
    user = login.username
    if user is None:
        return (
            f"broker {broker} refuses devices without keys: run 'deepthings invite' on the gateway, and the command "
            f"that it prints here. Or is it the broker of the home? The gateway's own has port {CLUSTER_PORT}"
        )
    if user.startswith(EDGE_LOGIN_PREFIX):
        name = user.removeprefix(EDGE_LOGIN_PREFIX)
        return (
            f"broker {broker} refuses edge {name!r}, which is not, or no longer, a member of its cluster: run "
            f"'deepthings invite {name}' on the gateway, and the command that it prints here"
        )
    return f"broker {broker} refuses the connection: {reason}; check the user name and the password"
