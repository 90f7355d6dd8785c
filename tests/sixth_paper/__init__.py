"""A sixth paper, as small as a paper can be: what a new system costs, and nothing else. CONTRIBUTING.md tells it in words.

In a real paper these files are the folder analogy/systems/PAPER, and the dataset is a file of data_prep.
"""
