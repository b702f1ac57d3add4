"""Webhooks by TLS to a real server on loopback: only to one whose certificate is trusted."""

from __future__ import annotations

import shutil
import ssl
import subprocess

import pytest

from tests.hook_events import event
from tests.webhook_receiver import account, post_to, receiving, running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    made, key = folder / "made.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", made, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


def serving_with(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


async def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(certificate, caplog):
    async with receiving(tls=serving_with(certificate)) as receiver:
        async with running(post_to(receiver.url(host="localhost", scheme="https"))) as hooks:
            hooks.notify(event())
            await account(hooks, failed=1)
        assert receiver.requests == []
    assert "its certificate is not trusted: self" in caplog.text
    assert "times" not in caplog.text


async def test_a_certificate_for_another_host_is_refused(certificate, monkeypatch, caplog):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with receiving(tls=serving_with(certificate)) as receiver:
        async with running(post_to(receiver.url(scheme="https"))) as hooks:
            hooks.notify(event())
            await account(hooks, failed=1)
        assert receiver.requests == []
    assert "its certificate is not trusted: IP address mismatch" in caplog.text


async def test_an_authority_that_this_machine_trusts_counts(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with receiving(tls=serving_with(certificate)) as receiver:
        async with running(post_to(receiver.url(host="localhost", scheme="https"))) as hooks:
            hooks.notify(event())
            await account(hooks, delivered=1)
        assert len(receiver.requests) == 1
