"""A study taken home: one ZIP that opens without us. Begin at `archive`."""
