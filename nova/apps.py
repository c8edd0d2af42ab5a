"""Django app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class NovaConfig(AppConfig):
    name = "nova"
    verbose_name = "Nova"

    def ready(self) -> None:
        from nova.roles import after_migrate
        from nova.scheduling import write_schedules

        # Connected after django.contrib.auth's own receiver, which makes the permissions: it stands earlier in INSTALLED_APPS.
        post_migrate.connect(after_migrate, dispatch_uid="nova.roles")
        post_migrate.connect(write_schedules, sender=self, dispatch_uid="nova.scheduling")
