"""Set-ups in which this device, another one, what is between them, or a camera is not well."""

from __future__ import annotations

from dataclasses import replace

from shared.doctor.doctor_facts import (
    ReachAnswer,
)
from shared.payloads.cluster import State
from shared.payloads.frames import FrameCounts, Outcome
from tests.unit.shared.doctor.set_ups import (
    DEVICE,
    EDGE,
    HUGE,
    NODES,
    OTHER_NETWORK,
    SHED,
    SILENT,
    SLOW,
    WARNING,
    SetUp,
    camera,
    cluster,
    dropping,
    node,
    stuck,
    two_of_one_name,
    well,
)
from tests.unit.shared.status.clusters import HALL

BROKEN_DEVICES = {
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
