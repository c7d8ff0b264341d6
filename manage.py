#!/usr/bin/env python
"""Lightbox's command line: the README lists its verbs."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

from portal.backups import staging

if __name__ == "__main__":
    if sys.argv[1:2] == ["restore"] and not {"-h", "--help"} & set(sys.argv):
        staging.enter(Path(__file__).resolve().parent / "data")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    execute_from_command_line(sys.argv)
