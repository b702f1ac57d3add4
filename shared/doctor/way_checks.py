"""Checks of the connection to the gateway: keys, name, port, broker, login, access rules, membership. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.doctor.doctor_facts import BrokerReply
from shared.doctor.doctor_findings import failed, not_tried, passed, split_cure
from shared.errors import PeerRefusedError
from shared.network.hosts import is_loopback
from shared.network.ports import CLUSTER_PORT, CLUSTER_TLS_PORT, PUBLIC_PORT, PUBLIC_TLS_PORT
from shared.security.member_list import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.doctor.doctor_facts import Facts
    from shared.doctor.doctor_findings import Finding

INVITE = "type 'deepthings invite' on the gateway, and here the command that it prints"

JOIN_AGAIN_CURE = "type 'deepthings invite {name} --again' on the gateway, and here the command that it prints"

HOUSE_PORTS = frozenset({PUBLIC_PORT, PUBLIC_TLS_PORT})


def check_keys(facts: Facts) -> Iterator[Finding]:
    """Check that the keys of this device are complete and fit each other."""
    keys = facts.keys
    if keys is None:
        yield not_tried("keys", "they were not looked for")
    elif keys.fault:
        what, cure = split_cure(keys.fault)
        if "permission denied" in keys.fault:
            yield failed(
                "keys", what, "the keys belong to another user, as that of a service", "sudo deepthings doctor"
            )
        else:
            cause = "the files were copied, edited, or written when the power failed"
            yield failed("keys", what, cause, cure or INVITE)
    elif keys.member is None:
        yield passed("keys", "none: this device has joined no cluster")
    else:
        yield passed("keys", f"those of {keys.member}, in {keys.folder}; key, certificate and authority fit")


def check_host_name(facts: Facts) -> Iterator[Finding]:
    """Check that the name of the gateway can be resolved to an address."""
    name, host = facts.name, facts.gateway.host
    if name is None:
        yield not_tried("name", "it was not asked for")
    elif name.reason:
        yield failed(
            "name", f"{host}: {name.reason}", "the name is misspelt, or no server of this network knows it",
            "write the gateway's address instead: --gateway 192.168.1.5; it shows it with 'hostname -I'",
        )  # fmt: skip
    elif name.addresses == (host,):
        yield passed("name", f"{host} is an address")
    else:
        yield passed("name", f"{host} is {', '.join(name.addresses)}")


def check_port(facts: Facts) -> Iterator[Finding]:
    """Check that something listens at the broker's port."""
    port, gateway = facts.port, facts.gateway
    if port is None:
        yield not_tried("port", "nothing was connected")
        return
    if not port.reason:
        yield passed("port", f"{gateway} is open")
        return
    what = f"{gateway}: {port.reason}"
    keyed = facts.keys is not None and facts.keys.member is not None
    if port.alive and CLUSTER_TLS_PORT in port.others and not keyed:
        cause = "the gateway takes devices that have joined only, and this one has no keys"
        yield failed("port", what, cause, INVITE)
    elif port.alive and port.others:
        found = ", ".join(map(str, port.others))
        right = CLUSTER_TLS_PORT if keyed else CLUSTER_PORT
        port_now = right if right in port.others else port.others[0]
        if port_now in {CLUSTER_PORT, CLUSTER_TLS_PORT}:
            yield failed(
                "port", what, f"the port is wrong: a gateway listens there at {found}",
                f"deepthings doctor --gateway {gateway.host}:{port_now}, and the same with other commands",
            )  # fmt: skip
        else:
            yield failed(
                "port", what, f"the gateway's broker has ended, or has another port: only {found} is open",
                "restart the gateway: sudo systemctl restart deepthings-gateway; its log has the reason",
            )  # fmt: skip
    elif port.alive:
        listen = "" if is_loopback(gateway.host) else " --listen 0.0.0.0"
        cause = "the device is on, but no gateway runs there" + (", or for its own machine only" if listen else "")
        yield failed(
            "port", what, cause,
            f"start it there: deepthings gateway{listen}; its log says why it ended: journalctl -u deepthings-gateway",
        )  # fmt: skip
    else:
        yield failed(
            "port", what, "its device is off, in another network, or behind a firewall",
            f"ping {gateway.host}; if that works, open the port there: sudo ufw allow {gateway.port}/tcp",
        )  # fmt: skip


def check_broker(facts: Facts) -> Iterator[Finding]:
    """Check that a broker answers, encrypted or not as this device expects."""
    answer, gateway = facts.broker, facts.gateway
    if answer is None:
        why = "the keys cannot be used" if facts.keys is not None and facts.keys.fault else "nothing was asked"
        yield not_tried("broker", why)
        return
    match answer.reply:
        case BrokerReply.CONNECTED | BrokerReply.REFUSED:
            keyed = answer.user is not None
            yield passed("broker", f"MQTT 5{', encrypted; it is the gateway of our cluster' if keyed else ''}")
        case BrokerReply.OTHER_CLUSTER:
            what, cure = split_cure(f"{gateway}: {answer.reason}")
            cause = "this device has the keys of another cluster, or the gateway was installed again and has new ones"
            yield failed("broker", what, cause, cure or INVITE)
        case BrokerReply.PLAIN:
            yield failed(
                "broker", f"{gateway} does not encrypt, and this device has keys for a broker that does",
                "it is the broker of the house, or the gateway's port in plain text",
                f"name the encrypted port of the gateway: --gateway {gateway.host}:{CLUSTER_TLS_PORT}",
            )  # fmt: skip
        case BrokerReply.ENCRYPTED:
            yield failed(
                "broker", f"{gateway} is encrypted, and this device has no keys",
                "it is the gateway's port for devices that have joined", INVITE,
            )  # fmt: skip
        case BrokerReply.NO_BROKER:
            yield failed(
                "broker", f"another program than a broker listens at {gateway}: {answer.reason}", "the port is wrong",
                f"name the port of the gateway's broker: --gateway {gateway.host}:{CLUSTER_PORT}, or "
                f"{CLUSTER_TLS_PORT} for a device that has joined",
            )  # fmt: skip
        case BrokerReply.SILENT:
            yield failed(
                "broker", f"the broker at {gateway} lets nobody in: {answer.reason}",
                "it hangs, or its device is overloaded",
                "restart the gateway: sudo systemctl restart deepthings-gateway",
            )  # fmt: skip


def check_broker_login(facts: Facts) -> Iterator[Finding]:
    """Check that the broker takes the login of this device."""
    answer = facts.broker
    if answer is None:
        yield not_tried("login", "there is no broker")
    elif answer.reply is BrokerReply.CONNECTED:
        yield passed("login", f"as {answer.user}" if answer.user else "without a user")
    else:
        what, cure = split_cure(answer.reason)
        member = facts.keys.member if facts.keys is not None else None
        if member is not None and member.role is Role.CAMERA:
            cause = "this device joined as a camera, which has no login at the broker: its edge speaks for it"
            cure = "type deepthings doctor on the device of its edge"
        elif answer.user is not None:
            cause = "this device was revoked, or its name was given to another one that joined later"
        elif facts.gateway.port in HOUSE_PORTS:
            cause = "this is the port for programs and people, or the broker of the house; both need a user"
            cure = f"name the gateway's own broker: --gateway {facts.gateway.host}:{CLUSTER_PORT}; or else, {cure}"
        else:
            cause = "this device has not joined the cluster"
        yield failed("login", what, cause, cure or INVITE)


def check_echo(facts: Facts) -> Iterator[Finding]:
    """Check, by a message to ourselves, that the broker accepts and delivers the messages of an edge."""
    echo = facts.echo
    if echo is None:
        yield not_tried("access rules", "no message was sent")
        return
    if echo.came:
        yield passed("access rules", f"a message to {echo.topic} came back")
        return
    cause = "the access rules (ACL) of this broker do not allow it, as it is not the gateway's own"
    what = f"it does not deliver {echo.topic}"
    if echo.refused:
        what = f"it does not take a message to {echo.topic}: {echo.refused}"
    yield failed(
        "access rules", what, cause,
        f"name the gateway's own broker: --gateway {facts.gateway.host}:{CLUSTER_PORT}; if it is that, restart the "
        "gateway, which writes its rules again",
    )  # fmt: skip


def check_membership(facts: Facts) -> Iterator[Finding]:
    """Check that this device is in the gateway's list of members, with the key that it has."""
    own, members = facts.keys, facts.members
    if own is None or own.member is None:
        insecure = facts.cluster is not None and facts.cluster.info is not None and facts.cluster.info.insecure
        why = "this device has no keys" + (", and the cluster is open to everybody (--insecure)" if insecure else "")
        yield not_tried("membership", why)
    elif members is None:
        yield not_tried("membership", "the list of members did not come")
    else:
        try:
            members.admit(own.member.role, own.member.name, own.member.key_hash)
        except PeerRefusedError as error:
            what, _ = split_cure(str(error))
            cause = "it was revoked" if "revoked" in what else "its card was copied or installed again, or it is new"
            yield failed("membership", what, cause, JOIN_AGAIN_CURE.format(name=own.member.name))
        else:
            yield passed("membership", f"{own.member} is one of {len(members.members)} members")
