"""``python -m qtw_lab`` is the `qtw` command."""

import sys

from qtw_lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
