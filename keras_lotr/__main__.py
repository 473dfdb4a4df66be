"""`python -m keras_lotr`, for machines where the `keras-lotr` command is not on the path."""

from keras_lotr.cli import main

if __name__ == "__main__":
    main(prog_name="keras-lotr")
