"""The demo company and its data."""
