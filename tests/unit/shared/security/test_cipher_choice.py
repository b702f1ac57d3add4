import ssl

import pytest

from shared.security.cipher_choice import CHACHA, aes_in, choose_cipher, has_aes_instructions
from shared.security.member_list import Role
from tests.members import KeyedCluster

PI_4 = "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU part\t: 0xd08\n"
PI_5 = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics\nCPU part\t: 0xd0b\n"
PC = "processor\t: 0\nflags\t\t: fpu vme sse4_2 aes xsave avx\nbugs\t\t: spectre_v1\n"


@pytest.mark.parametrize(("processors", "aes"), [(PI_4, False), (PI_5, True), (PC, True), ("", True)])
def test_a_processor_says_whether_it_has_instructions_for_aes(processors, aes):
    assert aes_in(processors) is aes


def test_this_processor_is_looked_at():
    assert has_aes_instructions() in {True, False}


def cipher(client, server):
    """The cipher that two ends agree on; each is whether it has instructions for AES."""
    for context, aes in ((client[0].client_context, client[1]), (server[0].server_context, server[1])):
        choose_cipher(context, aes=aes)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client[0].client_context.wrap_bio(to_client, to_server)
    far = server[0].server_context.wrap_bio(to_server, to_client, server_side=True)
    for end in (near, far, near, far):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return near.cipher()[0]


@pytest.mark.skipif(not has_aes_instructions(), reason="this processor prefers ChaCha20 always")
@pytest.mark.parametrize(("client", "server", "chacha"), [(0, 0, True), (0, 1, True), (1, 0, True), (1, 1, False)])
def test_chacha_is_used_as_soon_as_one_side_has_no_instructions_for_aes(tmp_path, client, server, chacha):
    cluster = KeyedCluster(tmp_path)
    edge, gateway = cluster.member(Role.EDGE, "porch"), cluster.member(Role.GATEWAY, "gateway")
    assert (cipher((edge, client), (gateway, server)) == CHACHA) is chacha
