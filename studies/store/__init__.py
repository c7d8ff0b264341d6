"""Stored bytes: sealed, named by nothing, checked, and opened by keys that can be changed or destroyed."""
