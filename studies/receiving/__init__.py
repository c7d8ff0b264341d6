"""From a request's body to rows: split, walked, hashed, sealed and written down while the bytes pass."""
