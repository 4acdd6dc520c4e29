"""`python -m lumio_cli` is the same program as `lumio`."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        # The current directory, which may hold anything: no module is to come from there.
        del sys.path[0]

    from lumio_cli.app import main

    main()
