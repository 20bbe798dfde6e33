"""A first look at zeta: the operator, batches, attention, and a classifier of handwritten digits.

python examples/quickstart.py [quickstart.png]
"""

import argparse
from pathlib import Path

import torch
from attention import Attention, SoftmaxAttention, SparseAttention
from digits import Digits, Evaluation, evaluate, load_train_and_test, train_classifier
from digits_picture import save_picture
from torch import Tensor

import zeta

SEED = 0


def show_one_row() -> None:
    print("1. One row, k = 3")
    one_stands_out = torch.tensor([2.0, 1.5, 0.1, -1.0, 3.2, 0.7])
    three_survive = torch.tensor([0.8, 0.6, 0.1, 0.5, 0.4])
    for logits in (one_stands_out, three_survive):
        print(f"   logits   {numbers(logits)}")
        print(f"   weights  {numbers(zeta.ops.sparse_softmax(logits, k=3))}\n")


def show_batch() -> None:
    print("2. A batch of two-element rows, k = 2")
    samples = [torch.tensor([0.3, 0.1]), torch.tensor([2.0, 0.5]), torch.tensor([-1.0, -1.0])]
    batch = torch.stack(samples)
    for logits, weights in zip(batch, zeta.ops.sparse_softmax(batch, k=2), strict=True):
        print(f"   logits   {numbers(logits)}   weights  {numbers(weights)}")
    print()


def show_attention() -> None:
    print("3. Sparse attention, k = 2, on four samples of three tokens with two features each")
    torch.manual_seed(SEED)
    inputs = {name: stack_samples() for name in ("query", "key", "value")}
    read, weights = SparseAttention(k=2)(**inputs)
    print(f"   what the queries read has shape {tuple(read.shape)}")
    print("   weights of the first sample, a row for each query")
    for row in weights[0]:
        print(f"      {numbers(row)}")
    read.square().sum().backward()
    for name, tensor in inputs.items():
        assert tensor.grad is not None
        print(f"   norm of the gradient that reached {name + ':':6} {tensor.grad.norm():.4f}")
    print()


def show_padded_batch() -> None:
    print("4. The same on samples of 3, 2, 1 and no tokens, padded to 3")
    torch.manual_seed(SEED)
    lengths = torch.tensor([3, 2, 1, 0])
    mask = (torch.arange(3) < lengths[:, None])[:, None, :]  # (batch, 1, tokens)
    inputs = {name: stack_samples() for name in ("query", "key", "value")}
    read, weights = SparseAttention(k=2)(**inputs, mask=mask)
    for length, of_sample in zip(lengths.tolist(), weights, strict=True):
        print(f"   {length} tokens, weights of the last query  {numbers(of_sample[-1])}")
    read.square().sum().backward()
    key = inputs["key"].grad
    assert key is not None
    print(f"   tokens that a gradient reached  {(key != 0).any(2).sum(1).tolist()}\n")


def stack_samples() -> Tensor:
    return torch.stack([torch.randn(3, 2) for _ in range(4)]).requires_grad_()


def show_digits(picture: Path) -> None:
    print("5. Handwritten digits: the same classifier with either attention")
    train, test = load_train_and_test()
    softmax = train_and_evaluate("softmax", SoftmaxAttention(), train, test)
    sparse = train_and_evaluate("sparse_softmax", SparseAttention(k=3), train, test)
    print(f"\n   {'':14}   test accuracy   weights that are exactly 0")
    for name, evaluation in (("softmax", softmax), ("sparse_softmax", sparse)):
        print(f"   {name:14}   {evaluation.accuracy:13.1%}   {evaluation.zero_share:26.1%}")
    save_picture(picture, test, softmax, sparse)
    print(f"\n   Saved the attention on ten test images to {picture}")


def train_and_evaluate(name: str, attention: Attention, train: Digits, test: Digits) -> Evaluation:
    classifier = train_classifier(attention, train, SEED, description=f"   {name:14}")
    return evaluate(classifier, test)


def numbers(row: Tensor) -> str:
    return " ".join(f"{value:6.2f}" for value in row.tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description="A first look at zeta.")
    parser.add_argument(
        "picture",
        nargs="?",
        type=Path,
        default=Path("quickstart.png"),
        help="where to save the picture (default: %(default)s)",
    )
    picture = parser.parse_args().picture
    if not picture.parent.is_dir():
        parser.error(f"there is no folder {picture.parent} to save the picture in")
    show_one_row()
    show_batch()
    show_attention()
    show_padded_batch()
    show_digits(picture)


if __name__ == "__main__":
    main()
