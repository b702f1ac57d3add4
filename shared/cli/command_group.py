"""The group of all subcommands, which imports one only when it is called."""

from __future__ import annotations

import importlib

import click

from shared.process.early_signals import exit_cleanly_on_signal, quiet_interrupt
from shared.process.lifecycle import installed_version

COMMANDS = {
    "demo": (
        "gateway.commands.demo",
        "gateway",
        "Watch a cluster on this machine detect pedestrians in real footage.",
    ),
    "init": ("gateway.commands.init", "gateway", "Begin: write a configuration from your answers, and test it."),
    "gateway": ("gateway.commands.serve", "gateway", "Run the gateway: broker, plan, merge, detections."),
    "check-config": (
        "gateway.commands.check_config",
        "gateway",
        "Check a configuration file; report every mistake with its line.",
    ),
    "edge": ("edge.command", "edge", "Run an edge: computes tiles, its own and stolen ones."),
    "camera": ("camera_sources.command", "cameras", "Feed the pictures of a camera, or of a video, to an edge."),
    "camera shot": (
        "gateway.commands.camera_shot",
        "cameras",
        "Write a picture of a camera with a grid, for drawing a zone.",
    ),
    "detect": ("gateway.commands.detect", "gateway", "Detect in pictures, tile by tile, in this process."),
    "verify": ("gateway.commands.verify", "gateway", "Compare tiles with the unpartitioned network."),
    "plan": (
        "gateway.commands.show_plan",
        "gateway",
        "Show where to cut a network, and the memory that its tiles need.",
    ),
    "quantize": ("gateway.commands.quantize", "gateway", "Make an int8 model of a float model, with pictures."),
    "bench": ("benchmarks.command", "bench", "Repeat the paper's experiments on emulated weak devices."),
    "watch": ("shared.cli.watch", "", "Follow the detections of a running cluster."),
    "status": ("shared.cli.status", "", "Report the status of a cluster: edges, cameras, problems and cures."),
    "doctor": ("shared.cli.doctor", "", "Find out what is wrong between this device and a detection, and the cure."),
    "trace": ("shared.cli.trace", "", "Write a trace of the last frames, and where their time has gone."),
    "service": (
        "shared.cli.service_command",
        "",
        "Run a gateway, an edge or a camera as a systemd service on this device.",
    ),
    "update": ("shared.cli.update", "", "Update DeepThings on this device, and restart its services."),
    "invite": ("gateway.commands.invite", "gateway", "Let a device join the cluster: print the command for it."),
    "join": ("shared.cli.join", "", "Join the cluster of a gateway with the code that it printed."),
    "nodes": ("gateway.commands.list_nodes", "gateway", "List the members of the cluster."),
    "revoke": ("gateway.commands.revoke", "gateway", "Remove a device from the cluster."),
    "close": ("gateway.commands.close", "gateway", "Refuse devices without keys, after an update from an old release."),
    "rotate": ("gateway.commands.rotate", "gateway", "Make new keys for the cluster; all devices join again."),
    "user": ("gateway.commands.user", "gateway", "Add and remove logins for Home Assistant and other programs."),
    "backup": ("gateway.commands.backup", "gateway", "Write all files of this gateway into one backup."),
    "restore": ("gateway.commands.restore", "gateway", "Restore the gateway of a backup."),
}
"""By subcommand (one or two words): the module of its `command`, the extra that it needs, its line in the help."""


class LazyGroup(click.Group):
    """A group that lists its subcommands by name, and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, extra, _ = COMMANDS[cmd_name]
        try:
            with quiet_interrupt():
                command: click.Command = importlib.import_module(module).command
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"'{cmd_name}' needs {error.name}, which is not installed: pip install 'deepthings[{extra}]'"
            ) from error
        exit_cleanly_on_signal()  # from now on there may be temporary files
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        two = " ".join(args[:2])
        if len(args) > 1 and two in COMMANDS:
            return two, self.get_command(ctx, two), args[2:]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(installed_version(), prog_name="deepthings")
def cli() -> None:
    """Object detection for your cameras, computed together by the small devices that you already have."""
