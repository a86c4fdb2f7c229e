"""`python -m tf_longformer`, the same as `tf-longformer`."""

from tf_longformer.cli.app import main

if __name__ == "__main__":
    main()
