"""Django's PostgreSQL backend on the embedded server: the first connection of a process starts it where it is not running."""
