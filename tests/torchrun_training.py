"""A training that torchrun starts: `torchrun --nproc-per-node 4 torchrun_training.py FACES OUT`."""

import sys

import tiny
import torch
from device_runs import RUN

from keras_lotr.training.training import train

if __name__ == "__main__":
    tiny.use_tiny_variant()
    torch.distributed.init_process_group("gloo")
    train(RUN, [sys.argv[1]], sys.argv[2], verbose=0)
    torch.distributed.destroy_process_group()
