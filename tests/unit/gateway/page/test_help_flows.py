from gateway.page.cluster_views import DeviceColours
from gateway.page.help_flows import FLOW_WINDOW_S, HelpFlows


def test_tiles_are_counted_by_owner_and_worker():
    flows = HelpFlows()
    flows.add("attic", {0: "attic", 1: "shed", 2: "shed"}, 100.0)
    flows.add("attic", {0: "attic", 1: "attic", 2: "shed"}, 101.0)
    assert flows.current(101.0) == [("attic", "attic", 3 / FLOW_WINDOW_S), ("attic", "shed", 3 / FLOW_WINDOW_S)]


def test_help_of_a_while_ago_is_no_help_of_now():
    flows = HelpFlows()
    flows.add("attic", {0: "shed"}, 100.0)
    assert flows.current(100.0 + FLOW_WINDOW_S)
    assert flows.current(100.1 + FLOW_WINDOW_S) == []


def test_a_device_keeps_its_colour_while_others_come():
    colours = DeviceColours()
    assert [colours.number(name) for name in ("shed", "attic", "shed", "hall")] == [0, 1, 0, 2]
