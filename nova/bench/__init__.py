"""Measures Nova against its own anchors, in a database of its own on the same server."""
