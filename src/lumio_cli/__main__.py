"""`python -m lumio_cli` is the same program as `lumio`."""

from lumio_cli.app import main

if __name__ == "__main__":
    main()
