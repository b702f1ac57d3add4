from __future__ import annotations

from gateway.broker.busiest_connection import received_bytes

PRINTED = """\
1000   0      127.0.0.1:1883 127.0.0.1:60172
\t bbr wscale:10,10 rto:200 rtt:0.02/0.01 mss:32768 bytes_acked:4 bytes_received:1000 segs_out:1 segs_in:3
0      0      [::ffff:192.168.1.10]:1883 [::ffff:192.168.1.30]:4711
\t cubic rto:204 bytes_sent:77 bytes_received:20 segs_out:9
0      0      127.0.0.1:1883 127.0.0.1:60173
\t cubic rto:204
"""


def test_the_bytes_of_each_peer_are_read():
    assert received_bytes(PRINTED) == {"127.0.0.1:60172": 1000, "[::ffff:192.168.1.30]:4711": 20}


def test_what_cannot_be_read_has_no_peers():
    for text in ("", "State Recv-Q", "\t bytes_received:7", "a b c\n\t bytes_received:7"):
        assert received_bytes(text) == {}
