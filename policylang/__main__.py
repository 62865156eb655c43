"""`python -m policylang` is the command line."""

from policylang.cli import main

main()
