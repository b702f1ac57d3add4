from __future__ import annotations

from pathlib import Path

from gateway.broker.broker_listeners import cluster_listener, edge_listener, public_listener
from shared.network.addresses import Address

EVERYWHERE = Address("0.0.0.0", 1883)  # noqa: S104  (an address in a text)
FOLDER = Path("/somewhere")


def test_without_keys_everybody_may_do_everything():
    section = cluster_listener(Address("127.0.0.1", 7883)).section(FOLDER)
    assert section.splitlines() == ["listener 7883 127.0.0.1", "max_connections 256", "allow_anonymous true"]


def test_with_keys_no_listener_lets_in_who_has_no_login():
    for listener in (
        cluster_listener(EVERYWHERE, secured=True, anonymous=False),
        edge_listener(EVERYWHERE),
        public_listener(EVERYWHERE, secured=True, anonymous=False),
        public_listener(EVERYWHERE, secured=True, anonymous=False, encrypted=True),
    ):
        section = listener.section(FOLDER)
        assert "allow_anonymous false" in section
        assert "password_file /somewhere/" in section
        assert "acl_file /somewhere/" in section


def test_the_listeners_of_edges_and_people_show_certificates_of_their_own():
    edges = edge_listener(EVERYWHERE).section(FOLDER).splitlines()
    people = public_listener(EVERYWHERE, secured=True, encrypted=True).section(FOLDER).splitlines()
    assert {"certfile /somewhere/gateway.pem", "keyfile /somewhere/gateway-key.pem", "tls_version tlsv1.3"} <= set(
        edges
    )
    assert {"certfile /somewhere/public.pem", "keyfile /somewhere/public-key.pem", "tls_version tlsv1.2"} <= set(people)


def test_all_listeners_together_stay_below_the_files_that_a_process_may_open():
    listeners = [cluster_listener(EVERYWHERE), edge_listener(EVERYWHERE), *2 * [public_listener(EVERYWHERE)]]
    assert sum(listener.max_connections for listener in listeners) < 1024 - 100
