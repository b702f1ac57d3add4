from __future__ import annotations

import pytest

from gateway.cluster.link_rates import LinkRates
from gateway.cluster.measured_devices import LEAST_PART_OF_OWNER, RECENT_S, MeasuredDevices
from gateway.cluster.speeds import NodeSpeeds
from gateway.planning.plan_prediction import costs_of_stages
from gateway.planning.profiles import OWNER_COST
from shared.ftp.grid import Grid
from shared.ftp.macs import macs_of
from shared.ftp.tiles import partition, whole_stage
from shared.mqtt.client_ids import OWN_NODE
from shared.wire.link_speed import USUAL_LINK_BYTES_PER_S
from tests.unit.gateway.cluster.offered_plans import NETWORK

COSTS = costs_of_stages(NETWORK, [whole_stage(NETWORK)])
MACS = macs_of(NETWORK, NETWORK.layers)
NOW = 100.0


class Home:
    """Devices that have measured how many seconds a whole frame takes each of their lanes."""

    def __init__(self, **seconds):
        self.speeds, self.links, self.with_cameras, self.several = NodeSpeeds(), LinkRates(), (), {}
        self.memory, self.kernel_costs = {}, {}
        for node, taken in seconds.items():
            self.speeds.add_trial(node, MACS / taken)
        self.devices = MeasuredDevices(COSTS, self, self.speeds, self.links)

    def kernels(self, node):
        return self.kernel_costs.get(node, {})

    def memory_bytes(self, node):
        return self.memory.get(node, 0)

    def describe_speed(self, node):
        (device,) = self.devices.describe((node,), NOW).devices
        return device.macs_per_s

    def lanes(self, node):
        return self.several.get(node, 1)

    def seconds(self, *nodes):
        """What a whole frame is predicted to take on each of these devices."""
        return [COSTS.total / device.macs_per_s for device in self.devices.describe(nodes, NOW).devices]


def test_nothing_is_described_before_a_speed_is_known():
    assert Home().devices.describe(("pi-1", "pi-2"), NOW) is None


def test_devices_are_as_fast_as_they_have_measured():
    assert Home(fast=1.0, slow=4.0).seconds("slow", "fast") == pytest.approx([4.0, 1.0])


def test_devices_that_run_the_first_layers_only_are_as_fast_as_they_measured_with_these():
    """A fixed method divides the layers up to its cut, and devices measure their speed with them."""
    first = costs_of_stages(NETWORK, [partition(NETWORK, [NETWORK.layers[0].outputs[0]], Grid(1, 1))])
    home = Home()
    home.speeds.add_trial("a", sum(first.tile_macs) / 3.0)
    home.devices = MeasuredDevices(first, home, home.speeds, home.links)
    (device,) = home.devices.describe(("a",), NOW).devices
    assert first.of_tiles(device) / device.macs_per_s == pytest.approx(3.0)


def with_frames(seconds, *, frames):
    """The owner's operations a second, measured and described, when so many frames were published lately."""
    home = Home(owner=seconds, helper=seconds)
    home.with_cameras = ("owner",)
    measured, helper = (device.macs_per_s for device in home.devices.describe(("owner", "helper"), NOW).devices)
    for _ in range(frames):
        home.devices.add_frame(NOW - 1.0)
    described, beside = (device.macs_per_s for device in home.devices.describe(("owner", "helper"), NOW).devices)
    assert beside == helper
    return measured, described


def test_what_the_camera_takes_of_its_device_is_no_part_of_its_speed():
    measured, described = with_frames(0.01, frames=20)
    assert described == pytest.approx(measured + 20 * OWNER_COST / RECENT_S)
    assert described < measured / LEAST_PART_OF_OWNER


def test_a_device_has_most_of_its_time_left_however_many_frames_its_camera_has():
    measured, described = with_frames(2.0, frames=200)
    assert described == pytest.approx(measured / LEAST_PART_OF_OWNER)


def test_frames_of_before_and_cameras_of_several_devices_do_not_count():
    home = Home(owner=0.01, helper=0.01)
    home.with_cameras = ("owner",)
    home.devices.add_frame(NOW)
    plain = home.devices.describe(("helper",), NOW).devices[0].macs_per_s
    assert home.devices.describe(("owner",), NOW).devices[0].macs_per_s > plain
    assert home.devices.describe(("owner",), NOW + RECENT_S).devices[0].macs_per_s == plain
    home.with_cameras = ("owner", "helper")
    assert home.devices.describe(("owner",), NOW).devices[0].macs_per_s == plain


def test_a_device_that_has_measured_nothing_counts_as_fast_as_the_others():
    assert Home(a=1.0, b=2.0, c=4.0).seconds("a", "old")[1] == pytest.approx(1.0)
    assert Home(a=1.0, b=2.0, c=4.0).seconds("a", "b", "c", "old")[3] == pytest.approx(2.0)


def test_a_device_that_has_measured_kinds_of_layers_takes_as_long_as_before_for_a_whole_frame():
    """Its speed was measured with all kinds together; only their parts are others."""
    home = Home(a=2.0, b=2.0)
    home.kernel_costs["a"] = {"pool": 500.0, "picture": 9.0}
    a, b = home.devices.describe(("a", "b"), NOW).devices
    assert COSTS.of_tiles(a) / a.macs_per_s == pytest.approx(2.0)
    assert COSTS.of_tiles(b) / b.macs_per_s == pytest.approx(2.0)
    assert a.kernels
    assert not b.kernels


def test_tiles_of_slow_operations_do_not_make_a_device_seem_slower():
    """The first layer, of so few channels as a picture has, takes longer for each operation than the network."""
    home = Home(a=2.0)
    first = costs_of_stages(NETWORK, [partition(NETWORK, [NETWORK.layers[0].outputs[0]], Grid(2, 2))])
    speed = home.describe_speed("a")
    for tile in range(4):
        took_s = first.tiles[0][tile] / speed
        usual = home.devices.usual_macs(first, tile, "a", first.tile_macs[tile])
        assert usual / took_s == pytest.approx(MACS / 2.0, rel=0.01)
        assert usual != first.tile_macs[tile]
    assert home.devices.usual_macs(COSTS, 0, "a", MACS) == pytest.approx(MACS, rel=0.01)


def test_lanes_are_one_device_together():
    home = Home(pi=4.0)
    home.several["pi"] = 4
    assert home.seconds("pi") == pytest.approx([1.0])


def test_the_gateway_is_as_fast_as_its_own_node_else_as_the_others():
    home = Home(a=2.0, **{OWN_NODE: 1.0})
    assert home.devices.describe(("a",), NOW).gateway.macs_per_s == pytest.approx(COSTS.total)
    assert Home(a=2.0).devices.describe(("a",), NOW).gateway.macs_per_s == pytest.approx(COSTS.total / 2)


def test_the_memory_of_devices_is_what_they_report():
    home = Home(a=1.0, b=1.0)
    home.memory["a"] = 2**28
    assert [device.memory_bytes for device in home.devices.describe(("a", "b"), NOW).devices] == [2**28, 0]


def test_links_are_as_fast_as_the_slowest_of_them():
    home = Home(a=1.0, b=1.0)
    assert home.devices.describe(("a", "b"), NOW).gateway.bytes_per_s == USUAL_LINK_BYTES_PER_S
    home.links.add_transfer("a", "b", 1e5, NOW)
    assert {device.bytes_per_s for device in home.devices.describe(("a", "b"), NOW).devices} == {1e5}


def test_the_owner_is_the_only_device_with_cameras():
    home = Home(a=1.0, b=1.0)
    for with_cameras, owner in (((), ""), (("b",), "b"), (("a", "b"), "")):
        home.with_cameras = with_cameras
        assert home.devices.describe(("a", "b"), NOW).owner == owner
