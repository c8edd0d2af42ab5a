"""Django app."""

from django.apps import AppConfig


class NovaConfig(AppConfig):
    name = "nova"
    verbose_name = "Nova"
