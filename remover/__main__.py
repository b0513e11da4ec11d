"""``python -m remover``."""

from remover.cli.main import main

if __name__ == "__main__":
    main()
