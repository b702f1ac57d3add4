"""Checks of this device: cache and disk, memory, cores, power supply, and its name. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.doctor.doctor_findings import failed, not_tried, passed, warned
from shared.payloads.cluster import State
from shared.security.member_list import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.doctor.doctor_facts import DeviceFacts, Facts
    from shared.doctor.doctor_findings import Finding
    from shared.plan.plan import PlanOffer

MIN_DISK_BYTES = 100 * 2**20
"""Free space for a few programs; those of the plan are added."""

PROCESS_BYTES = 100 * 2**20
"""Memory of an edge without its programs and maps."""

MIN_FREE_BYTES = 50 * 2**20
"""Free memory below which the system soon ends processes."""

UNDERVOLTAGE, FREQUENCY_CAPPED, THROTTLED, SOFT_LIMIT = (1 << bit for bit in range(4))
"""Flags of `vcgencmd get_throttled` for the present moment."""

SINCE_START = 16
"""Flags that are shifted left by this many bits are set if the same has happened since the device started."""


def own_edge(facts: Facts) -> str:
    """Return the name of the edge that runs on this device; empty if none does."""
    network = facts.device.network if facts.device else ""
    online = (
        name
        for name, node in sorted(facts.nodes.items())
        if node.state is State.ONLINE and network and node.identity.network == network
    )
    return next(online, "")


def check_own_name(facts: Facts) -> Iterator[Finding]:
    """Check that no other device runs an edge under the name of this one."""
    member = facts.keys.member if facts.keys else None
    node = facts.nodes.get(member.name) if member and member.role is Role.EDGE else None
    network = facts.device.network if facts.device else ""
    if member is None or member.role is not Role.EDGE:
        yield not_tried("name in the cluster", "this device has no keys of an edge")
    elif node is None or node.state is not State.ONLINE:
        yield passed("name in the cluster", f"no other device runs an edge called {member.name}")
    elif network and node.identity.network and node.identity.network != network:
        yield failed(
            "name in the cluster", f"edge {member.name} runs on {node.identity}, and this device has the same name",
            "its card, or its folder of keys, is a copy", "give this device a name of its own: type 'deepthings invite "
            f"{member.name[:60]}-2' on the gateway, and here the command that it prints",
        )  # fmt: skip
    else:
        yield passed("name in the cluster", f"edge {member.name} runs on this device")


def check_disk(facts: Facts) -> Iterator[Finding]:
    """Check that an edge can write its programs on this device."""
    device = facts.device
    if device is None or not device.cache:
        yield not_tried("program cache", "its folder is not known")
        return
    needed = MIN_DISK_BYTES + (_program_bytes(facts.plan) if facts.plan else 0)
    if device.disk_free is not None and device.disk_free < needed:
        yield failed(
            "program cache", f"{_megabytes(device.disk_free)} MB are free for {device.cache}, and programs need "
            f"{_megabytes(needed)} MB", "other files have filled the disk or the card",
            "free space: df -h shows what is full, and sudo journalctl --vacuum-size=50M removes old logs",
        )  # fmt: skip
    elif device.cache_fault:
        yield failed(
            "program cache", f"{device.cache} cannot be written: {device.cache_fault}",
            "the folder belongs to another user, or the card is read-only, as it fails",
            f'sudo chown -R "$USER" {device.cache}; or name another with deepthings edge --cache',
        )  # fmt: skip
    else:
        free = "" if device.disk_free is None else f"; {_megabytes(device.disk_free)} MB are free"
        yield passed("program cache", f"{device.cache} can be written{free}")


def check_memory(facts: Facts) -> Iterator[Finding]:
    """Check that the memory of this device is enough for the plan."""
    device, plan = facts.device, facts.plan
    if device is None or device.memory_free is None or device.memory_total is None:
        yield not_tried("memory", "the system does not say how much is free")
        return
    running = own_edge(facts)
    needed = MIN_FREE_BYTES if running or plan is None else _edge_bytes(plan)
    if device.memory_limit is not None and plan is not None and device.memory_limit < _edge_bytes(plan):
        yield failed(
            "memory", f"the control group {device.memory_limited_by} may use {_megabytes(device.memory_limit)} MB, and "
            f"an edge needs {_megabytes(_edge_bytes(plan))} MB: its processes are killed",
            "a container has too little memory (docker run --memory, mem_limit), or a service (MemoryMax=)",
            "docker update --memory 1g --memory-swap 1g NAME for a container; 'sudo systemctl set-property "
            "deepthings-edge MemoryMax=1G' for a service; or start the gateway with a finer grid: deepthings gateway "
            "--grid 3x3",
        )  # fmt: skip
        return
    limit_text = _limit_text(device)
    free, total = _megabytes(device.memory_free), _megabytes(device.memory_total)
    purpose = "no plan is known" if plan is None else f"an edge needs {_megabytes(needed)} MB"
    purpose = f"edge {running} runs here" if running else purpose
    if device.memory_free >= needed:
        yield passed("memory", f"{free} of {total} MB are free; {purpose}{limit_text}")
    else:
        yield failed(
            "memory", f"{free} of {total} MB are free, and {_megabytes(needed)} MB are needed; {purpose}",
            "other programs take the memory, or the network is too large for this device",
            "stop other programs ('ps aux --sort -rss | head' shows the largest); or start the gateway with a finer "
            "grid: deepthings gateway --grid 3x3",
        )  # fmt: skip


def check_own_cores(facts: Facts) -> Iterator[Finding]:
    """Check that a process on this device gets the time of all cores."""
    device = facts.device
    if device is None or not device.cores:
        yield not_tried("cores", "the system does not say how many it has")
    elif 0 < device.usable_cores < device.cores:
        yield warned(
            "cores", f"this process may use {device.usable_cores:.2g} of {device.cores}",
            "a quota of a container or a service (CPUQuota=), or taskset, limits it",
            "systemctl show -p CPUQuotaPerSecUSec deepthings-edge; docker update --cpus 0 NAME for a container",
        )  # fmt: skip
    else:
        yield passed("cores", f"all {device.cores} can be used")


def check_power(facts: Facts) -> Iterator[Finding]:
    """Check that a Raspberry Pi has a sufficient power supply and cooling."""
    flags = facts.device.throttled if facts.device else None
    if flags is None:
        yield not_tried("power", "this is no Raspberry Pi, or its firmware does not say")
        return
    weak_supply = "the power supply or its cable is too weak"
    supply_cure = (
        "use the power supply of the Raspberry Pi itself, and a short cable; vcgencmd get_throttled shows 0x0 then"
    )
    heat = "it is too hot: no cooling, or a closed case"
    heat_cure = "give it a heat sink or a fan; vcgencmd measure_temp shows the temperature"
    slowed = FREQUENCY_CAPPED | THROTTLED | SOFT_LIMIT
    if flags & UNDERVOLTAGE:
        yield failed("power", "undervoltage: the processor is slowed down now", weak_supply, supply_cure)
    elif flags & slowed:
        yield failed("power", "the processor is slowed down now", heat, heat_cure)
    elif flags & (UNDERVOLTAGE << SINCE_START):
        yield warned("power", "there was undervoltage since this device started", weak_supply, supply_cure)
    elif flags & (slowed << SINCE_START):
        yield warned("power", "the processor was slowed down since this device started", heat, heat_cure)
    else:
        yield passed("power", "enough, and never too hot since this device started")


def _limit_text(device: DeviceFacts) -> str:
    """Return the memory limit of a control group as the end of a sentence; empty without a limit."""
    if device.memory_limit is not None:
        return f"; a control group limits it to {_megabytes(device.memory_limit)} MB"
    return "" if device.memory_limit_known else "; whether a control group limits it is hidden here"


def _program_bytes(plan: PlanOffer) -> int:
    return sum({stage.program.sha256: stage.program.bytes for stage in plan.stages}.values())


def _edge_bytes(plan: PlanOffer) -> int:
    """Return the memory of an edge that computes this plan on one core."""
    return PROCESS_BYTES + _program_bytes(plan) + max(stage.working_bytes for stage in plan.stages)


def _megabytes(size: int) -> int:
    return round(size / 1e6)
