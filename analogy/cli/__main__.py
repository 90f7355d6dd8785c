"""python -m analogy.cli"""

from analogy.cli import main

main()
