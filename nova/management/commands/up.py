"""`manage.py up`: Nova on one machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from nova.postgres import PostgresError
from nova.running import PortTaken, open_port, prepare, serve, web_address


def add_address_arguments(parser: argparse.ArgumentParser) -> None:
    """--host and --port, shared with the demo."""
    parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (default 127.0.0.1: this machine only).")
    parser.add_argument("--port", type=int, default=8000, help="Port to listen on (default 8000; 0 takes any free one).")


class Command(BaseCommand):
    help = "Runs Nova: database, web server and background tasks under one parent. Ctrl-C stops all of it."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_address_arguments(parser)

    def say(self, text: str) -> None:
        """A line on the terminal, at once."""
        self.stdout.write(text)
        self.stdout.flush()

    def handle(self, **options: Any) -> None:
        try:
            listener = open_port(host=options["host"], port=options["port"])
        except PortTaken as error:
            raise CommandError(str(error)) from None
        try:
            prepare(say=self.say)
        except PostgresError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Start it again, it goes on where it was.") from None
        if not get_user_model().objects.filter(is_active=True).exists():
            self.say("Nobody can sign in yet. Make a first user in another terminal: uv run manage.py createsuperuser")
        self.say(f"Nova is at {web_address(listener)} - Ctrl-C stops it.")
        if code := serve(listener=listener, say=self.say):
            sys.exit(code)
