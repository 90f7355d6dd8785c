"""`python -m analogy.cli` is the same as the console command `analogy`."""

from analogy.cli import main

main()
