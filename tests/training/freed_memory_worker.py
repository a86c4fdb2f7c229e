"""Prints how many blocks malloc maps for 16 MiB, after work on `argv[1]`."""

import ctypes
import sys

import tensorflow as tf
from helpers import tiny

HEAD = "ForTokenClassification"
BATCH = {**tiny.make_inputs(HEAD), **tiny.make_labels(HEAD)}


class Mallinfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")
        + ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    ]


def generated():
    specs = {k: tf.TensorSpec(v.shape, v.dtype) for k, v in BATCH.items()}
    return tf.data.Dataset.from_generator(
        lambda: iter([BATCH]), output_signature=specs
    )


def main(what):
    if what == "fit":
        model = tiny.make_model(HEAD)
        model.compile("sgd")
        model.fit(generated(), shuffle=False, verbose=0)
    else:
        # What TensorFlow does where this package isn't asked.
        list(generated())
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = Mallinfo
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    before = libc.mallinfo2().hblks
    libc.malloc(16 * 2**20)
    print(libc.mallinfo2().hblks - before)


if __name__ == "__main__":
    main(sys.argv[1])
