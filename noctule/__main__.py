"""``python -m noctule``."""

from noctule.cli.main import main

if __name__ == "__main__":
    main()
