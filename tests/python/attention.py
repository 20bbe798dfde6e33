"""A small network around an operator."""

import torch


class Attention(torch.nn.Module):
    def __init__(self, operator):
        super().__init__()
        self.weights = operator.module(k=4)
        self.query = torch.nn.Linear(8, 8)

    def forward(self, x):
        return self.weights(self.query(x) @ x.mT) @ x
