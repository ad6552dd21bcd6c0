from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from proctoring_site.access import api_tokens
from proctoring_site.access.models import ApiToken


class Command(BaseCommand):
    help = "Create an API token for a machine; it is printed once and may do what its owner may."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("owner", help="user name of an active staff account")
        parser.add_argument("--name", required=True, help="what uses it, such as the name of an LMS")
        parser.add_argument(
            "--days", type=int, default=api_tokens.DEFAULT_DAYS, help="days that it is valid; default: %(default)s"
        )
        parser.add_argument("--dry-run", action="store_true", help="check the owner, and create nothing")

    def handle(self, *, owner: str, name: str, days: int, dry_run: bool, **options: Any) -> None:
        account = get_user_model().objects.filter(username=owner, is_active=True, is_staff=True).first()
        if account is None:
            raise CommandError(f"There is no active staff account {owner!r}.")
        if not 1 <= days <= api_tokens.MAX_DAYS:
            raise CommandError(f"--days must be from 1 to {api_tokens.MAX_DAYS}.")
        if not name.strip() or len(name) > ApiToken._meta.get_field("name").max_length:
            raise CommandError("--name must be a text of 1 to 100 characters.")
        expires_at = timezone.now() + timedelta(days=days)
        if dry_run:
            self.stdout.write(f"A token for {owner}, valid until {expires_at:%Y-%m-%d}, would be created.")
            return
        _, text = api_tokens.create(owner=account, name=name.strip(), expires_at=expires_at)
        self.stderr.write(f"A token for {owner}, valid until {expires_at:%Y-%m-%d}. It is shown only now:")
        self.stdout.write(text)
