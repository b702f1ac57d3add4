from __future__ import annotations

from shared.mqtt.client_ids import edge_client_id, gateway_client_id


def test_the_usual_ids_stay():
    assert gateway_client_id() == "deepthings-gateway"
    assert edge_client_id("shed") == "deepthings-edge-shed"


def test_no_two_processes_of_different_prefixes_have_one_id():
    prefixes = ["deepthings", "barn", "barn/things", "barn-things", "deepthings-edge", "gateway"]
    names = ["gateway", "shed", "shed-barn", "edge-shed"]
    ids = [gateway_client_id(prefix) for prefix in prefixes]
    ids += [edge_client_id(name, prefix) for prefix in prefixes for name in names]
    assert len(set(ids)) == len(ids)
    assert not any("/" in said for said in ids)
