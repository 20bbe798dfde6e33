"""Writes what the C++ examples read: the handwritten digits, and a classifier of them in two forms.

python examples/export_digits.py FOLDER
"""

import argparse
from pathlib import Path

import torch
from attention import SparseAttention
from digits import AttentionClassifier, Digits, evaluate, load_train_and_test, train_classifier
from torch import Tensor

SEED = 0
EPOCHS = 3  # This leaves fine-tuning something to gain.


def save_digits(train: Digits, test: Digits, path: Path) -> None:
    tensors = {
        "train_images": train.images,
        "train_labels": train.labels,
        "test_images": test.images,
        "test_labels": test.labels,
    }
    torch.save(tensors, path)


def save_module(classifier: AttentionClassifier, path: Path) -> None:
    torch.jit.script(classifier).save(path)


def save_package(classifier: AttentionClassifier, images: Tensor, path: Path) -> None:
    dynamic_shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(classifier, (images,), dynamic_shapes=dynamic_shapes)
    torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write what the C++ examples read.")
    parser.add_argument("folder", type=Path, help="where to write it")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)

    train, test = load_train_and_test()
    path = folder / "digits.pt"
    save_digits(train, test, path)
    print(f"{path}: {len(train.labels)} images to learn from, {len(test.labels)} held out")

    classifier = train_classifier(SparseAttention(), train, SEED, "classifier", EPOCHS)
    right = f"{evaluate(classifier, test).accuracy:.1%} of held-out images right"
    path = folder / "classifier.pt"
    save_module(classifier, path)
    print(f"{path}: the classifier as a TorchScript module, {right}")
    path = folder / "classifier.pt2"
    save_package(classifier, test.images, path)
    print(f"{path}: the same as a package of AOTInductor")


if __name__ == "__main__":
    main()
