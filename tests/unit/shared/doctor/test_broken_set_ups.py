"""Each broken set-up is named by the doctor, with its likely cause and what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.doctor.diagnosis import diagnose
from shared.doctor.doctor_facts import (
    BrokerReply,
    EchoAnswer,
    NameAnswer,
    OwnKeys,
    PortAnswer,
    ReachAnswer,
)
from shared.doctor.doctor_findings import CheckResult
from shared.mqtt.broker_login import ANONYMOUS
from shared.network.addresses import Address
from shared.network.ports import CLUSTER_TLS_PORT, DATA_PORT
from shared.payloads.cluster import State
from shared.payloads.frames import FrameCounts, Outcome
from shared.security.member_list import Role
from tests.unit.shared.doctor.set_ups import (
    BROKER,
    DEVICE,
    EDGE,
    HALF,
    HOUSE,
    HUGE,
    KEYS,
    LOGIN,
    MEMBER,
    MEMBERS,
    NO_KEYS,
    NODES,
    OTHER_CLUSTER,
    OTHER_KEY,
    OTHER_NETWORK,
    PLAIN,
    REFUSED,
    SHED,
    SILENT,
    SLOW,
    UNKNOWN_NAME,
    WARNING,
    SetUp,
    answer,
    camera,
    cluster,
    dropping,
    node,
    refused,
    stuck,
    two_of_one_name,
    well,
)
from tests.unit.shared.status.clusters import GATEWAY, HALL, HEALTH, INFO, NOW

SET_UPS = {
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
    # this device
    "disk full": SetUp(well(device=replace(DEVICE, disk_free=10**6)), "program cache", "filled the disk", "df -h"),
    "cache of another user": SetUp(
        well(device=replace(DEVICE, cache_fault="permission denied")), "program cache", "another user", "chown"
    ),
    "too little memory for the plan": SetUp(
        well(nodes={}, plan=HUGE, device=replace(DEVICE, memory_free=500 * 10**6)), "memory", "too large", "--grid"
    ),
    "a container with too little memory for the plan": SetUp(
        well(device=replace(DEVICE, memory_limit=64 * 10**6, memory_limited_by="/sys/fs/cgroup/memory/docker/1f")),
        "memory",
        "docker run --memory",
        "docker update --memory",
    ),
    "a service with too little memory beside a running edge": SetUp(
        well(
            device=replace(
                DEVICE, memory_limit=64 * 10**6, memory_limited_by="/sys/fs/cgroup/system.slice/deepthings-edge.service"
            )
        ),
        "memory",
        "MemoryMax=",
        "systemctl set-property",
    ),
    "memory used up beside an edge": SetUp(
        well(device=replace(DEVICE, memory_free=10**7)), "memory", "other programs", "ps aux"
    ),
    "quota here": SetUp(well(device=replace(DEVICE, usable_cores=0.8)), "cores", "CPUQuota", "docker update", WARNING),
    "undervoltage": SetUp(well(device=replace(DEVICE, throttled=0x50005)), "power", "power supply", "get_throttled"),
    "undervoltage once": SetUp(well(device=replace(DEVICE, throttled=0x50000)), "power", "cable", "supply", WARNING),
    "too hot": SetUp(well(device=replace(DEVICE, throttled=0xE0008)), "power", "too hot", "fan"),
    "two devices with the same keys": SetUp(
        well(nodes=NODES | {"attic": node("attic", "192.168.1.77", OTHER_NETWORK)}),
        "name in the cluster",
        "a copy",
        "deepthings invite attic-2",
    ),
    # between devices
    "data port of the gateway blocked": SetUp(
        well(gateway_data=ReachAnswer("192.168.1.5:7884", SILENT)), "data plane", "firewall", "ufw allow 7884/tcp"
    ),
    "slow link": SetUp(well(gateway_data=ReachAnswer("x:7884", bytes_per_s=3e5)), "link", "Wi-Fi", "use a cable"),
    "data port of an edge blocked": SetUp(
        well(edges_data={"shed": ReachAnswer("192.168.1.32:7701", SILENT)}),
        "data plane of shed",
        "firewall",
        "ufw allow 7701/tcp",
    ),
    "an edge does not reach another one": SetUp(
        well(
            cluster=cluster(
                "edge attic cannot reach edge shed at 192.168.1.32:7701: it does not answer; check the firewall "
                "there, and its --listen and --port"
            )
        ),
        "between devices",
        "firewall",
        "check the firewall there",
    ),
    # edges
    "no edge": SetUp(well(cluster=cluster("no edge is connected")), "edges", "no device runs", "deepthings edge"),
    "edge stopped": SetUp(well(cluster=cluster(hall=HALL)), "edge hall", "has ended there", "switch its device on"),
    "two nodes of one name": SetUp(well(cluster=cluster(*two_of_one_name())), "edges", "same name", "--name shed-2"),
    "edge refused": SetUp(
        well(cluster=cluster(shed=SHED.model_copy(update={"state": State.REFUSED, "reason": "it speaks version 4"}))),
        "edge shed",
        "does not understand",
        "log",
    ),
    "other version of an edge": SetUp(
        well(cluster=cluster(shed=SHED.model_copy(update={"version": "1.0.0"}))),
        "edge shed",
        "was updated",
        "same release",
    ),
    "plan refused by an edge": SetUp(
        well(cluster=cluster("edge shed does not follow the plan: it does not fit its program")),
        "edge shed",
        "could not fetch or open its program",
        "same release",
    ),
    "disk of an edge full": SetUp(
        well(
            cluster=cluster(
                "edge shed does not follow the plan: program cache /x cannot be written: the disk is full; name "
                "another with --cache"
            )
        ),
        "edge shed",
        "filled the card",
        "df -h",
    ),
    "barred edge": SetUp(
        well(cluster=cluster("edge shed did not compute 3 tiles: no memory; it gets no work until it passes a test")),
        "edge shed",
        "too little memory",
        "power supply",
    ),
    "drained edge": SetUp(
        well(cluster=cluster(shed=SHED.model_copy(update={"drained": True}))),
        "edge shed",
        "drain_node",
        "resume_node",
        WARNING,
    ),
    "one core of four used": SetUp(
        well(cluster=cluster(shed=SHED.model_copy(update={"threads": 1}))),
        "edge shed",
        "--max-cores",
        "deepthings edge --listen",
        WARNING,
    ),
    "quota of an edge": SetUp(
        well(cluster=cluster(shed=SHED.model_copy(update={"usable_cores": 1.0, "threads": 1}))),
        "edge shed",
        "CPUQuota",
        "docker update",
        WARNING,
    ),
    "hot edge": SetUp(
        well(cluster=cluster(shed=SHED.model_copy(update={"temperature": 84.0}))),
        "edge shed",
        "no cooling",
        "fan",
        WARNING,
    ),
    "edge slower than others": SetUp(
        well(cluster=cluster(shed=SHED.model_copy(update={"computable_per_s": 4.0}))),
        "edge shed",
        "slowed down",
        "get_throttled",
        WARNING,
    ),
    "edge too slow for whole frames": SetUp(
        well(plan=SLOW, cluster=cluster(attic=EDGE.model_copy(update={"computable_per_s": 30.0}))),
        "edge shed",
        "too large for this device",
        "--grid",
    ),
    # cameras
    "camera password": SetUp(
        well(cluster=camera("wrong password; trying again after 5 min")),
        "camera front_door",
        "another user or password",
        "correct user and password",
    ),
    "wrong codec": SetUp(well(cluster=camera("codec not decodable: H265")), "camera front_door", "H.265", "H.264"),
    "camera offline": SetUp(
        well(cluster=camera("not reachable: no route to it")), "camera front_door", "it is off", "power and network"
    ),
    "camera without pictures": SetUp(
        well(cluster=camera("no picture for 30 s")), "camera front_door", "Wi-Fi is too weak", "power and network"
    ),
    "camera of an unknown edge": SetUp(
        well(cluster=camera("edge porch not found; known edges: attic, shed")),
        "camera front_door",
        "another name",
        "start that edge",
    ),
    "everything dropped": SetUp(
        well(cluster=dropping(Outcome.NO_PLAN, published=0)),
        "camera front_door",
        "no plan",
        "journalctl -u deepthings-edge",
    ),
    "everything dropped since a moment ago": SetUp(
        well(cluster=stuck(), earlier={"front_door": FrameCounts(captured=1000, published=1000)}),
        "camera front_door",
        "network between it and the edge is broken",
        "deepthings-gateway",
    ),
    "more pictures than the devices compute": SetUp(
        well(cluster=dropping(Outcome.SUPERSEDED, published=50)), "camera front_door", "fewer frames", "fps:", WARNING
    ),
    "frames too late": SetUp(
        well(cluster=dropping(Outcome.DEADLINE, published=50)),
        "camera front_door",
        "too slow",
        "deepthings trace",
        WARNING,
    ),
}


def test_nothing_is_found_where_all_is_well():
    examination = diagnose(well())
    assert [each for each in examination.findings if each.result is not CheckResult.OK] == []
    assert examination.ok


@pytest.mark.parametrize("name", SET_UPS)
def test_a_broken_set_up_is_named_with_its_cause_and_cure(name):
    facts, check, cause, cure, result = SET_UPS[name]
    examination = diagnose(facts)
    wrong = [each for each in examination.findings if each.result in {CheckResult.FAILED, CheckResult.WARNING}]
    assert [each.check for each in wrong] == [check]
    assert wrong[0].result is result
    assert cause in wrong[0].cause
    assert cure in wrong[0].cure
    assert examination.ok is (result is not CheckResult.FAILED)


def test_there_are_more_broken_set_ups_than_were_asked_for():
    assert len(SET_UPS) >= 25


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.PUBLISHED])
def test_every_reason_of_a_dropped_frame_has_a_cause_and_a_cure(outcome):
    wrong = [each for each in diagnose(well(cluster=dropping(outcome, published=0))).findings if each.cause]
    assert [each.check for each in wrong] == ["camera front_door"]
    assert outcome.value in wrong[0].what
    assert wrong[0].cure


def test_a_gateway_that_is_silent_is_not_reported_twice():
    findings = diagnose(
        well(cluster=cluster(health=HEALTH.model_copy(update={"at": NOW - 900, "problems": ()})))
    ).findings
    assert [each.check for each in findings if each.cause] == ["clock"]


def finding(facts, check):
    (found,) = [each for each in diagnose(facts).findings if each.check == check]
    return found


def test_a_page_for_its_own_machine_only_is_no_fault_on_another_one_and_says_how_to_open_it():
    info = INFO.model_copy(update={"page_host": "127.0.0.1", "page_port": 8095})
    found = finding(well(cluster=cluster(info=info), page=None, page_address=None), "page")
    assert found.result is CheckResult.NOT_TRIED
    assert "listens on the gateway's own machine only, at 127.0.0.1:8095; page: {listen: 0.0.0.0}" in found.what


def test_a_limit_that_is_enough_is_named_and_one_that_is_hidden_is_not_taken_for_none():
    limited = replace(DEVICE, memory_limit=2 * 10**9, memory_limited_by="/sys/fs/cgroup/docker")
    assert finding(well(device=limited), "memory").what.endswith("a control group limits it to 2000 MB")
    hidden = finding(well(device=replace(DEVICE, memory_limit_known=False)), "memory")
    assert hidden.result is CheckResult.OK
    assert hidden.what.endswith("whether a control group limits it is hidden here")
