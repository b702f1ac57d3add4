"""Services on a machine with a real systemd: installed, watched, replaced, backed up, removed."""

from __future__ import annotations

import pytest

from tests.systemd_machine import PROGRAM, PYTHON, answers_of, reason_against

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CONFIGURATION = """
mqtt: {port: "${DEEPTHINGS_PORT}"}
cameras:
  street: {source: FOOTAGE}
hooks:
  commands: [{events: new, command: [./ring.sh]}]
"""

HOOK = """#!/bin/sh
id -un >/var/lib/deepthings/hook
touch /etc/by-a-hook
"""

GATEWAY = f"{PROGRAM} service install gateway --config /etc/deepthings/home.yaml"

STEPS = {
    "closed configuration": f"chmod 600 /etc/deepthings/home.yaml; {GATEWAY}",
    "missing variable": f"chmod 644 /etc/deepthings/home.yaml; {GATEWAY}",
    "nothing was written": "ls /etc/systemd/system | grep deepthings",
    "gateway": f"echo DEEPTHINGS_PORT=1883 >/etc/deepthings/environment; {GATEWAY}",
    "edge": f"{PROGRAM} service install edge --gateway 127.0.0.1 --name shed",
    "camera": f"{PROGRAM} service install camera --name yard --source test://64x48 --edge 127.0.0.1:9",
    "hook": "for n in $(seq 40); do [ -s /var/lib/deepthings/hook ] && break; sleep 0.5; done;"
    " cat /var/lib/deepthings/hook; ls /etc/by-a-hook",
    "status": "systemctl status --no-pager deepthings-gateway deepthings-edge deepthings-camera-yard",
    "enabled": "systemctl is-enabled deepthings-gateway deepthings-edge deepthings-camera-yard",
    "users": "for n in gateway edge camera-yard; do"
    " ps -o user= -p $(systemctl show -p MainPID --value deepthings-$n); done",
    "state": "ls -A /var/lib/deepthings; stat -c %U:%a /var/lib/deepthings; find /var/cache/deepthings -name '*.onnx'",
    "journal": "journalctl -u deepthings-edge --no-pager -o cat",
    "backup": f"cd /root && {PROGRAM} backup home.tar.gz && stat -c %a home.tar.gz",
    "restore beside the gateway": f"{PROGRAM} restore /root/home.tar.gz --force",
    "restore": f"systemctl stop deepthings-gateway; rm /etc/deepthings/home.yaml /var/lib/deepthings/placement.json;"
    f" {PROGRAM} restore /root/home.tar.gz --force && systemctl start deepthings-gateway",
    "hanging": "mkdir /etc/systemd/system/deepthings-edge.service.d; cd /etc/systemd/system/deepthings-edge.service.d;"
    " printf '[Service]\\nWatchdogSec=2\\nRestartSec=1\\n' >quick.conf; systemctl daemon-reload;"
    " systemctl restart deepthings-edge; before=$(systemctl show -p MainPID --value deepthings-edge);"
    " kill -STOP $before; for n in $(seq 40); do"
    " [ $(systemctl show -p NRestarts --value deepthings-edge) != 0 ] && break; sleep 0.5; done;"
    " systemctl start deepthings-edge; journalctl -u deepthings-edge --no-pager -o cat;"
    " systemctl is-active deepthings-edge",
    "replaced": f"{PROGRAM} service install edge --gateway 127.0.0.1 --name attic;"
    " systemctl show -p ExecStart --value deepthings-edge",
    "clone in a home": "useradd --create-home pi; cp -a /opt/deepthings /home/pi/clone;"
    " sed -i s,/opt/deepthings,/home/pi/clone, /home/pi/clone/bin/deepthings; chown -R pi /home/pi; chmod 700 /home/pi;"
    " /home/pi/clone/bin/deepthings service install edge --gateway 127.0.0.1 --name attic;"
    " ps -o user= -p $(systemctl show -p MainPID --value deepthings-edge); sleep 3; ls -d /home/pi/.cache/deepthings",
    "does not start": f"{PROGRAM} service install gateway --port 9 --data-port 9",
    "remove": f"{PROGRAM} service uninstall camera --name yard && {PROGRAM} service uninstall edge &&"
    f" {PROGRAM} service uninstall gateway && ls /etc/systemd/system; systemctl is-active deepthings-edge",
    "remove again": f"{PROGRAM} service uninstall edge",
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What each step said: its exit code, standard output and standard error."""
    if reason := reason_against():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("systemd")
    footage = "/opt/footage.mp4"
    prepare = (
        "mkdir /etc/deepthings && cat >/etc/deepthings/home.yaml <<'END'\n"
        f"{CONFIGURATION.replace('FOOTAGE', footage)}END\n"
        f"cat >/etc/deepthings/ring.sh <<'END'\n{HOOK}END\nchmod 755 /etc/deepthings/ring.sh\n"
        f"cp $({PYTHON} -c 'from camera_sources.source import FOOTAGE; print(FOOTAGE)') {footage}"
    )
    return answers_of(folder, {"prepare": prepare, **STEPS})


def test_it_can_be_prepared(answers):
    assert answers["prepare"][0] == 0, answers["prepare"]
    assert list(answers) == ["prepare", *STEPS]


def test_nothing_is_written_before_the_configuration_is_right_for_who_will_read_it(answers):
    code, _, errors = answers["closed configuration"]
    assert code == 2
    assert "user deepthings of the service cannot read it; run 'chown deepthings" in errors
    code, _, errors = answers["missing variable"]
    assert code == 2
    assert "mqtt.port: the environment variable DEEPTHINGS_PORT is not set" in errors
    assert answers["nothing was written"][1] == ""


@pytest.mark.parametrize("role", ["gateway", "edge", "camera"])
def test_a_service_is_installed_and_ready(answers, role):
    code, said, errors = answers[role]
    assert (code, errors) == (0, "")
    assert "runs as user deepthings, and starts with this device" in said


def test_they_run_as_their_own_user_and_say_how_they_are(answers):
    _, said, _ = answers["status"]
    assert said.count("Active: active (running)") == 3
    assert 'Status: "connected to its own broker"' in said
    assert 'Status: "connected to broker 127.0.0.1:7883"' in said
    assert "not connected to edge 127.0.0.1:9" in said
    assert answers["enabled"][1].split() == ["enabled"] * 3
    assert set(answers["users"][1].split()) <= {"deepthin+", "deepthings"}


def test_they_keep_what_they_need_where_services_do(answers):
    _, said, _ = answers["state"]
    assert {"placement.json", "retained.json"} <= set(said.split())
    assert "deepthings:750" in said
    assert ".onnx" in said


def test_the_journal_has_no_second_time_and_no_noise(answers):
    lines = answers["journal"][1].splitlines()
    assert "INFO    shared.mqtt.bus: connected to broker 127.0.0.1:7883 as deepthings-edge-shed" in lines
    assert [line for line in lines if "telemetry" in line] == []


def test_a_hook_is_started_beside_its_configuration_and_changes_nothing_of_the_system(answers):
    code, said, _ = answers["hook"]
    assert (said.strip(), code) == ("deepthings", 2)


def test_the_backup_of_a_service_needs_no_names(answers):
    code, said, errors = answers["backup"]
    assert code == 0, errors
    for path in ("/etc/deepthings/home.yaml", "/etc/deepthings/ring.sh", "/var/lib/deepthings/placement.json"):
        assert path in said
    assert "/etc/deepthings/environment" in said
    assert said.splitlines()[-1] == "600"


def test_it_is_restored_when_the_gateway_is_stopped(answers):
    code, _, errors = answers["restore beside the gateway"]
    assert (code, "is running: stop it" in errors) == (1, True)
    code, said, errors = answers["restore"]
    assert code == 0, errors
    assert "restored /etc/deepthings/home.yaml" in said
    assert "restored /var/lib/deepthings/placement.json" in said


def test_a_process_that_hangs_is_started_again_and_the_journal_says_where_it_was(answers):
    _, said, _ = answers["hanging"]
    assert "Failed with result 'watchdog'." in said
    assert "Fatal Python error: Aborted" in said
    assert said.splitlines()[-1] == "active"


def test_a_service_that_is_installed_again_has_the_new_options(answers):
    code, said, errors = answers["replaced"]
    assert code == 0, errors
    assert "--name attic" in said


def test_a_clone_that_only_its_owner_can_read_runs_as_its_owner(answers):
    code, said, errors = answers["clone in a home"]
    assert (code, errors) == (0, "")
    assert "deepthings-edge runs as user pi" in said
    assert "It has no user of its own, as only pi can read /home/pi/clone/bin/deepthings." in said
    assert said.splitlines()[-2:] == ["pi", "/home/pi/.cache/deepthings"]


def test_a_service_that_does_not_start_says_where_to_look(answers):
    code, _, errors = answers["does not start"]
    assert code == 1
    assert "does not start; systemd continues to try. The reason: journalctl -u deepthings-gateway -n 20" in errors


def test_what_is_removed_is_gone(answers):
    _, said, errors = answers["remove"]
    assert errors == ""
    assert said.splitlines()[-1] == "inactive"
    assert [line for line in said.splitlines() if line.startswith("deepthings-") and line.endswith(".service")] == []
    assert answers["remove again"][0] == 1
