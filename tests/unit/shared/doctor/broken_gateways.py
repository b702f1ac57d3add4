"""Set-ups in which a device does not reach the gateway, is no member of its cluster, or the gateway is not well."""

from __future__ import annotations

from dataclasses import replace

from shared.doctor.doctor_facts import (
    BrokerReply,
    EchoAnswer,
    NameAnswer,
    OwnKeys,
    PortAnswer,
)
from shared.mqtt.broker_login import ANONYMOUS
from shared.network.addresses import Address
from shared.network.ports import CLUSTER_TLS_PORT, DATA_PORT
from shared.payloads.cluster import State
from shared.security.member_list import Role
from tests.unit.shared.doctor.set_ups import (
    BROKER,
    HALF,
    HOUSE,
    KEYS,
    LOGIN,
    MEMBER,
    MEMBERS,
    NO_KEYS,
    OTHER_CLUSTER,
    OTHER_KEY,
    PLAIN,
    REFUSED,
    SILENT,
    UNKNOWN_NAME,
    WARNING,
    SetUp,
    answer,
    cluster,
    refused,
    well,
)
from tests.unit.shared.status.clusters import GATEWAY, INFO, NOW

BROKEN_GATEWAYS = {
    # the way to the gateway
    "name not resolved": SetUp(
        well(gateway=Address("nass", 7886), name=NameAnswer(reason=UNKNOWN_NAME)), "name", "misspelt", "--gateway 192"
    ),
    "device of the gateway off": SetUp(well(port=PortAnswer(SILENT, alive=False)), "port", "off", "ping 192.168.1.5"),
    "gateway stopped": SetUp(well(port=PortAnswer(REFUSED)), "port", "no gateway runs there", "deepthings gateway"),
    "wrong port": SetUp(
        well(gateway=Address(BROKER.host, 7999), port=PortAnswer(REFUSED, others=(7883, 7886))),
        "port",
        "the port is wrong",
        "--gateway 192.168.1.5:7886",
    ),
    "broker ended": SetUp(well(port=PortAnswer(REFUSED, others=(DATA_PORT,))), "port", "broker has ended", "restart"),
    "no keys, and a port for members only": SetUp(
        well(gateway=PLAIN, keys=NO_KEYS, port=PortAnswer(REFUSED, others=(CLUSTER_TLS_PORT,))),
        "port",
        "no keys",
        "deepthings invite",
    ),
    "no keys at the encrypted port": SetUp(
        well(keys=NO_KEYS, **answer(BrokerReply.ENCRYPTED)), "broker", "devices that have joined", "deepthings invite"
    ),
    "broker without TLS": SetUp(
        well(**answer(BrokerReply.PLAIN)), "broker", "plain text", "--gateway 192.168.1.5:7886"
    ),
    "another program at the port": SetUp(
        well(**answer(BrokerReply.NO_BROKER, "it does not speak MQTT")), "broker", "the port is wrong", "7886"
    ),
    "a broker that hangs": SetUp(well(**answer(BrokerReply.SILENT, SILENT)), "broker", "hangs", "systemctl restart"),
    "keys of another cluster": SetUp(
        well(**answer(BrokerReply.OTHER_CLUSTER, OTHER_CLUSTER)),
        "broker",
        "keys of another cluster",
        "deepthings invite",
    ),
    "no login": SetUp(
        well(gateway=PLAIN, keys=NO_KEYS, **refused(ANONYMOUS, PLAIN)), "login", "not joined", "deepthings invite"
    ),
    "no login at the house's broker": SetUp(
        well(gateway=HOUSE, keys=NO_KEYS, **refused(ANONYMOUS, HOUSE)),
        "login",
        "broker of the house",
        "--gateway 192.168.1.5:7883",
    ),
    "keys of a camera": SetUp(
        well(keys=replace(KEYS, member=MEMBER.model_copy(update={"role": Role.CAMERA})), **refused(LOGIN)),
        "login",
        "joined as a camera",
        "on the device of its edge",
    ),
    "revoked, at the login": SetUp(well(**refused(LOGIN)), "login", "revoked", "deepthings invite attic"),
    "access rules of another broker": SetUp(
        well(echo=EchoAnswer("t", came=False)), "access rules", "access rules (ACL)", "--gateway 192.168.1.5:7883"
    ),
    "access rules that forbid to write": SetUp(
        well(echo=EchoAnswer("t", came=False, refused="not authorised")), "access rules", "(ACL)", "restart the gateway"
    ),
    # keys
    "half of the keys": SetUp(well(keys=OwnKeys(KEYS.folder, fault=HALF)), "keys", "power failed", "deepthings join"),
    "keys of another user": SetUp(
        well(keys=OwnKeys(KEYS.folder, fault="x cannot be read: permission denied")),
        "keys",
        "another user",
        "sudo deepthings doctor",
    ),
    "wrong key": SetUp(
        well(keys=OTHER_KEY), "membership", "copied or installed again", "deepthings invite attic --again"
    ),
    "revoked key": SetUp(
        well(members=MEMBERS.without_member(MEMBER)), "membership", "it was revoked", "deepthings invite attic"
    ),
    # the gateway
    "a broker without a gateway": SetUp(
        well(cluster=cluster(bridge=None), plan=None), "gateway", "another topic prefix", "--topic-prefix"
    ),
    "gateway ended": SetUp(
        well(cluster=cluster(bridge=GATEWAY.model_copy(update={"state": State.OFFLINE}))),
        "gateway",
        "it was stopped",
        "on nas (192.168.1.5): deepthings gateway",
    ),
    "other version here": SetUp(well(own_release="1.1.0"), "release", "one of them was updated", "the same release"),
    "clock behind": SetUp(well(at=NOW - 86_400), "clock", "a Pi has none", "timedatectl", WARNING),
    "clock ahead": SetUp(well(at=NOW + 86_400), "clock", "one of the clocks is wrong", "timedatectl", WARNING),
    "gateway at the house's broker only": SetUp(
        well(
            plan=None,
            cluster=cluster(info=INFO.model_copy(update={"cluster_host": "192.168.1.6", "cluster_port": 7883})),
        ),
        "plan",
        "this is another one",
        "--gateway 192.168.1.6:7883",
    ),
    "page not published from its container": SetUp(
        well(page=REFUSED), "page", "not published from the container", "docker run -p 8095:8095", WARNING
    ),
    "page behind a firewall": SetUp(well(page=SILENT), "page", "a firewall is closed", "sudo ufw allow 8095", WARNING),
    "page off": SetUp(
        well(page=REFUSED, page_address=Address("127.0.0.1", 8095), on_gateway=True),
        "page",
        "off, or has another port",
        "page: {enabled: true}",
        WARNING,
    ),
    "broker of the house refuses the login": SetUp(
        well(cluster=cluster("broker 192.168.1.2:1883: bad user name or password, or none")),
        "home's broker",
        "another user or password",
        "check-config --connect",
    ),
    "broker of the house forbids topics": SetUp(
        well(cluster=cluster("broker 192.168.1.2:1883 refuses homeassistant/x: not authorised")),
        "home's broker",
        "(ACL)",
        "check-config --connect",
    ),
    "a stranger at the data plane": SetUp(
        well(cluster=cluster("192.168.1.44 was refused: it showed no certificate: type 'deepthings invite'")),
        "gateway's problems",
        "no keys of this cluster",
        "type 'deepthings invite'",
    ),
    "strangers at the gateway": SetUp(
        well(
            cluster=cluster(
                "devices that are no members of the cluster were refused: 192.168.1.44; if they are yours, run "
                "'deepthings invite' here, and the command that it prints there"
            )
        ),
        "gateway's problems",
        "have not joined",
        "deepthings invite",
    ),
}
