"""Programs of other people against a running site: what they ask for, as they ask for it."""
