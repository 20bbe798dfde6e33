"""Handwritten digits, and a small classifier that reads them by attention."""

from dataclasses import dataclass

import torch
from attention import Attention
from sklearn.datasets import load_digits  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm  # type: ignore[import-untyped]

SIDE = 8  # pixels
CLASSES = 10
PATCH_SIDE = 3
PATCHES = SIDE * SIDE  # one around each pixel
QUERIES = 8
FEATURES = 32
EPOCHS = 30
BATCH = 64
LEARNING_RATE = 3e-3


@dataclass(frozen=True)
class Digits:
    """Images (count, 1, 8, 8) with values from 0 to 1, and the digit that each one shows."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Evaluation:
    """What a trained classifier does on held-out images."""

    accuracy: float
    zero_share: float  # of all attention weights, those that are exactly 0
    attention: (
        Tensor  # (count, 8, 8): the share of the attention that each image's patches received
    )


def load_train_and_test() -> tuple[Digits, Digits]:
    """Split scikit-learn's 1,797 images: three quarters to learn from, one quarter held out."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, SIDE, SIDE) / 16
    digits = torch.tensor(labels)
    train, test = train_test_split(
        torch.arange(len(digits)), test_size=0.25, stratify=labels, random_state=0
    )
    return Digits(images[train], digits[train]), Digits(images[test], digits[test])


class AttentionClassifier(nn.Module):
    """Cuts an image into patches, reads them with learned queries, and classifies what was read."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention
        self.cut_patches = nn.Unfold(PATCH_SIDE, padding=PATCH_SIDE // 2)
        self.embed_patch = nn.Sequential(
            nn.Linear(PATCH_SIDE * PATCH_SIDE, FEATURES), nn.GELU(), nn.Linear(FEATURES, FEATURES)
        )
        self.position = nn.Parameter(0.2 * torch.randn(PATCHES, FEATURES))
        self.normalise = nn.LayerNorm(FEATURES)
        self.query = nn.Parameter(0.5 * torch.randn(QUERIES, FEATURES))
        self.to_key = nn.Linear(FEATURES, FEATURES)
        self.to_value = nn.Linear(FEATURES, FEATURES)
        self.to_logits = nn.Linear(QUERIES * FEATURES, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits (count, 10) and the attention weights (count, queries, patches)."""
        patches = self.cut_patches(images).transpose(1, 2)
        tokens = self.normalise(self.embed_patch(patches) + self.position)
        query = self.query.expand(images.shape[0], -1, -1)
        read, weights = self.attention(query, self.to_key(tokens), self.to_value(tokens))
        return self.to_logits(read.flatten(1)), weights


def train_classifier(
    attention: Attention, train: Digits, seed: int, description: str, epochs: int = EPOCHS
) -> AttentionClassifier:
    """Train on ``train``. One seed gives any attention the same first weights and batches."""
    torch.manual_seed(seed)
    classifier = AttentionClassifier(attention)
    optimizer = torch.optim.AdamW(classifier.parameters(), LEARNING_RATE)
    steps = epochs * -(-len(train.labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    with tqdm(total=steps, desc=description, unit="step") as progress:
        for _ in range(epochs):
            for batch in torch.randperm(len(train.labels)).split(BATCH):
                logits, _ = classifier(train.images[batch])
                loss = functional.cross_entropy(logits, train.labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                progress.update()
    return classifier


@torch.inference_mode()
def evaluate(classifier: AttentionClassifier, test: Digits) -> Evaluation:
    logits, weights = classifier(test.images)
    return Evaluation(
        accuracy=(logits.argmax(dim=1) == test.labels).float().mean().item(),
        zero_share=(weights == 0).float().mean().item(),
        attention=weights.mean(dim=1).view(-1, SIDE, SIDE),
    )
