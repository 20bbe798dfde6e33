"""A mixture of experts that reads handwritten digits, with two routers that compute the same.

python examples/router.py
"""

from collections.abc import Callable

import torch
from digits import BATCH, CLASSES, LEARNING_RATE, SIDE, Digits, load_train_and_test
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.benchmark import Timer
from tqdm import tqdm  # type: ignore[import-untyped]

import zeta

EXPERTS = 16
EXPERTS_OF_A_DIGIT = 2
FEATURES = 64
HIDDEN = 32
EPOCHS = 10
SEED = 0

Router = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From the logits of all experts to the weights of the few that are asked, and which they are."""


def by_softmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    values, indices = logits.softmax(-1).topk(EXPERTS_OF_A_DIGIT, -1)
    return values / values.sum(-1, keepdim=True), indices


def by_topk_softmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    return zeta.ops.topk_softmax_compact(logits, EXPERTS_OF_A_DIGIT)


ROUTERS: dict[str, Router] = {
    "softmax, topk, renormalise": by_softmax,
    "topk_softmax_compact": by_topk_softmax,
}


class MixtureOfExperts(nn.Module):
    """Gives each input to the few experts that the router chooses, and adds what they say by its
    weights."""

    def __init__(self, router: Router) -> None:
        super().__init__()
        self.router = router
        self.to_logits = nn.Linear(FEATURES, EXPERTS)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, FEATURES))
            for _ in range(EXPERTS)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        weights, chosen = self.router(self.to_logits(inputs))
        outputs = torch.zeros_like(inputs)
        for number, expert in enumerate(self.experts):
            # A weight that rounds to 0 has the index -1 in the compact form: no expert is asked.
            row, place = (chosen == number).nonzero(as_tuple=True)
            weighted = expert(inputs[row]) * weights[row, place].unsqueeze(-1)
            outputs = outputs.index_add(0, row, weighted)
        return outputs


class Classifier(nn.Module):
    def __init__(self, router: Router) -> None:
        super().__init__()
        self.embed = nn.Linear(SIDE * SIDE, FEATURES)
        self.mixture = MixtureOfExperts(router)
        self.classify = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        features = self.embed(images.flatten(1))
        return self.classify(features + self.mixture(features))


def train_classifier(router: Router, train: Digits, description: str) -> Classifier:
    """Both routers get the same first weights and batches."""
    torch.manual_seed(SEED)
    classifier = Classifier(router)
    optimizer = torch.optim.AdamW(classifier.parameters(), LEARNING_RATE)
    for _ in tqdm(range(EPOCHS), desc=description, unit="epoch"):
        for batch in torch.randperm(len(train.labels)).split(BATCH):
            logits = classifier(train.images[batch])
            loss = functional.cross_entropy(logits, train.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return classifier


@torch.inference_mode()
def accuracy(classifier: Classifier, test: Digits) -> float:
    return (classifier(test.images).argmax(1) == test.labels).float().mean().item()


def microseconds(router: Router, inputs: int) -> float:
    """The median time of a router on the logits of many inputs, gradient included."""
    logits = torch.randn(inputs, EXPERTS, requires_grad=True)
    grad = torch.randn(inputs, EXPERTS_OF_A_DIGIT)
    timer = Timer(
        "torch.autograd.grad(router(logits)[0], logits, grad)",
        globals={"torch": torch, "router": router, "logits": logits, "grad": grad},
        num_threads=torch.get_num_threads(),
    )
    return timer.blocked_autorange().median * 1e6


def main() -> None:
    train, test = load_train_and_test()
    inputs = 4096
    rows = []
    for name, router in ROUTERS.items():
        classifier = train_classifier(router, train, f"{name:26}")
        rows.append((name, accuracy(classifier, test), microseconds(router, inputs)))
    print(f"\n{'router':26}   test accuracy   time of {inputs} rows with gradient")
    for name, right, time in rows:
        print(f"{name:26}   {right:13.1%}   {time:22.0f} µs")


if __name__ == "__main__":
    main()
