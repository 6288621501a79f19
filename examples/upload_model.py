#!/usr/bin/env python3
"""Trains a classifier of handwritten digits, and publishes it with its training history.

    modeldepot up                # in another terminal
    pip install scikit-learn
    python3 upload_model.py

The data comes with scikit-learn (1,797 images of 8 x 8 pixels), so nothing is downloaded; training takes seconds.
`python3 verify_s3.py` then checks what was published.
"""

import copy
import json
import time
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from modeldepot import ModelStorage

MODEL = "digits_classifier"
FOLDER = Path("models")
EPOCHS = 30


def train():
    """Trains epoch by epoch; returns the classifier of the best epoch, and the training history."""
    images, digits = load_digits(return_X_y=True)
    images = images / 16.0
    train_x, val_x, train_y, val_y = train_test_split(images, digits, test_size=0.25, random_state=0, stratify=digits)
    classifier = MLPClassifier(hidden_layer_sizes=(64,), learning_rate_init=0.003, batch_size=64, random_state=0)
    history = {"train_loss": [], "train_accuracy": [], "val_loss": [], "val_accuracy": []}
    best = None
    for _ in range(EPOCHS):
        classifier.partial_fit(train_x, train_y, classes=range(10))
        history["train_loss"].append(classifier.loss_curve_[-1])
        history["train_accuracy"].append(classifier.score(train_x, train_y))
        history["val_loss"].append(log_loss(val_y, classifier.predict_proba(val_x)))
        history["val_accuracy"].append(classifier.score(val_x, val_y))
        # The same rule as modeldepot's best epoch: the first of those with the highest accuracy.
        if history["val_accuracy"][-1] > max(history["val_accuracy"][:-1], default=0.0):
            best = copy.deepcopy(classifier)
    return best, history


def main():
    began = time.perf_counter()
    classifier, history = train()
    print(f"trained {EPOCHS} epochs in {time.perf_counter() - began:.1f} s")

    FOLDER.mkdir(exist_ok=True)
    joblib.dump(classifier, FOLDER / "best_model.joblib")
    (FOLDER / "training_history.json").write_text(json.dumps(history, indent=1))

    published = ModelStorage().upload_model(
        model_path=FOLDER / "best_model.joblib",
        model_name=MODEL,
        metadata={
            "architecture": "MLPClassifier(64)",
            "num_classes": len(classifier.classes_),
            "optimizer": classifier.solver,
            "learning_rate": classifier.learning_rate_init,
            "batch_size": classifier.batch_size,
        },
        # Placed beside the model, and its best epoch is added to the metadata.
        history=FOLDER / "training_history.json",
    )
    metadata = published.manifest["metadata"]
    print(f"Model: {published.model}")
    print(f"Version: {published.version}")
    print(f"Best epoch: {metadata['best_epoch']} of {metadata['total_epochs']}")
    print(f"Validation accuracy: {metadata['val_accuracy']:.2%}")
    print(f"S3 URL: {published.url}")


if __name__ == "__main__":
    main()
