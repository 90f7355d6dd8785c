"""Preparation of datasets: public ones in their published layout, and generated ones, for training with `analogy`.

How to add a dataset:
1. Write a file here with a function (folder, cache, settings) that returns an `analogy.data.contract.Dataset`, usually one of
   the classes in `analogy/data/`. `folder` holds the raw data as their authors publish them; prepared data go to `cache`.
2. Add an entry to `DATASETS` in `data_prep/datasets.py`: that function, and the files that its folder must hold.
3. Name it in an experiment's YAML file, as `data.dataset`.
4. Test it with a small folder in the official layout; `tests/data/test_contract.py` checks what it returns.
"""
