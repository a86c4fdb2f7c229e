"""The command line: `tf-longformer`, or `python -m tf_longformer`.

Each command has a file of its own, which holds its options and nothing else;
the work is done by the package that the command imports when it runs.
"""
