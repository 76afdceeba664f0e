"""``python -m nbflow`` is the command ``nbflow``."""

from nbflow.cli.app import entry

if __name__ == "__main__":
    entry()
