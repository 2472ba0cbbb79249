"""Golden values of the losses and of AdamW, from plain PyTorch written row by row as the papers' formulas stand.

    .venv/bin/python tests/golden/make_losses.py

writes losses.safetensors and adamw.safetensors beside itself. Inputs are float32; expected values and gradients are computed
in float64 and stored as float32.
"""
import math
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
F = torch.nn.functional


def unit(rows, columns, generator):
    return F.normalize(torch.randn(rows, columns, generator=generator), dim=1)


# Rows 0 and 3 share a concept, 1 and 4 a picture, 2 and 5 a caption.
IMAGE = torch.tensor([10, 11, 12, 13, 11, 15])
CAPTION = torch.tensor([20, 21, 22, 23, 24, 22])
CONCEPT = torch.tensor([30, 31, 32, 30, 34, 35])


def is_positive(i, j):
    return bool(IMAGE[i] == IMAGE[j] or CAPTION[i] == CAPTION[j] or CONCEPT[i] == CONCEPT[j])


def one_side(logits, mode, smoothing):
    rows = []
    for i, row in enumerate(logits):
        everyone = range(len(row))
        positives = [j for j in everyone if is_positive(i, j)]
        negatives = [j for j in everyone if j not in positives]
        targets = [i] if mode == "mask" else positives
        kept = [j for j in everyone if j in targets or j in negatives]
        log_share = row - torch.logsumexp(row[kept], 0)
        if mode == "each":
            loss = sum(torch.logsumexp(row[[p] + negatives], 0) - row[p] for p in positives) / len(positives)
        else:
            loss = -sum(log_share[p] for p in targets) / len(targets)
        smooth = -sum(log_share[j] for j in kept) / len(kept)
        rows.append((1 - smoothing) * loss + smoothing * smooth)
    return sum(rows) / len(rows)


def info_nce(x, y, scale, mode, smoothing, image_to_text, text_to_image):
    logits = scale.exp() * x @ y.T
    return image_to_text * one_side(logits, mode, smoothing) + text_to_image * one_side(logits.T, mode, smoothing)


def sigmoid(x, y, scale, bias):
    total = 0
    for i in range(len(x)):
        for j in range(len(y)):
            z = 1 if is_positive(i, j) else -1
            total = total - torch.log(torch.sigmoid(z * (scale.exp() * x[i] @ y[j] + bias)))
    return total / len(x)


def same_concept(x, temperature):
    rows = []
    for i in range(len(x)):
        others = [a for a in range(len(x)) if a != i]
        positives = [p for p in others if CONCEPT[p] == CONCEPT[i]]
        if positives:
            everyone = torch.logsumexp(torch.stack([x[i] @ x[a] / temperature for a in others]), 0)
            rows.append(-sum(x[i] @ x[p] / temperature - everyone for p in positives) / len(positives))
    return sum(rows) / len(rows)


def caption_tokens(x, table, scale, ids, idf, smoothing):
    known = [v for v in range(len(idf)) if idf[v] > 0]
    rows = []
    for i in range(len(x)):
        held = sorted({int(v) for v in ids[i]} & set(known))
        if not held:
            continue
        logits = torch.stack([scale.exp() * x[i] @ F.normalize(table[v], dim=0) for v in known])
        log_share = torch.log_softmax(logits, 0)
        target = torch.tensor([float(idf[v]) if v in held else 0.0 for v in known], dtype=torch.float64)
        target = (1 - smoothing) * target / target.sum() + smoothing / len(known)
        rows.append(-(target * log_share).sum())
    return sum(rows) / len(rows)


def main_losses():
    generator = torch.Generator().manual_seed(1)
    out = {"image_id": IMAGE, "caption_id": CAPTION, "concept_id": CONCEPT}
    out["x"], out["y"] = unit(6, 5, generator), unit(6, 5, generator)
    out["scale"], out["bias"] = torch.tensor(1.5), torch.tensor(-2.0)
    out["table"] = torch.randn(9, 5, generator=generator)
    out["idf"] = torch.tensor([1.0, 2.5, 0.0, 1.7, 3.1, 0.0, 2.2, 0.0, 0.0])
    out["ids"] = torch.tensor([[0, 1, 1, 7], [3, 4, 6, 0], [2, 6, 8, 8], [8, 8, 8, 8], [4, 8, 8, 8], [1, 3, 8, 8]])

    def record(name, loss, inputs):
        leaves = {k: out[k].double().requires_grad_() for k in inputs}
        value = loss(**leaves)
        value.backward()
        out[name] = value.detach().float()
        for key, leaf in leaves.items():
            out[f"{name}.{key}"] = leaf.grad.float()

    for mode in ("each", "average", "mask"):
        for smoothing in (0.0, 0.1):
            for sides in ((0.5, 0.5), (0.7, 0.2)):
                record(f"info_nce/{mode}/{smoothing}/{sides[0]}",
                       lambda x, y, scale: info_nce(x, y, scale, mode, smoothing, *sides), ("x", "y", "scale"))
    record("sigmoid", sigmoid, ("x", "y", "scale", "bias"))
    record("same_concept", lambda x: same_concept(x, 0.1), ("x",))
    for smoothing in (0.0, 0.1):
        record(f"caption_tokens/{smoothing}",
               lambda x, table, scale: caption_tokens(x, table, scale, out["ids"], out["idf"], smoothing),
               ("x", "table", "scale"))
    save_file(out, HERE / "losses.safetensors")


def main_adamw():
    """Three parameters, ten steps; the second one has no gradient in steps 3 and 7, so it is not stepped there."""
    generator = torch.Generator().manual_seed(2)
    shapes = {"weight": (3, 4), "bias": (4,), "kernel": (2, 3, 2, 2)}
    values = {k: torch.randn(*s, generator=generator) for k, s in shapes.items()}
    out = {f"start/{k}": v.clone() for k, v in values.items()}
    parameters = {k: torch.nn.Parameter(v.clone()) for k, v in values.items()}
    groups = [{"params": [parameters["weight"]], "weight_decay": 0.2, "scale": 1.0},
              {"params": [parameters["bias"]], "weight_decay": 0.0, "scale": 1.0},
              {"params": [parameters["kernel"]], "weight_decay": 0.2, "scale": 3.0}]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.98), eps=1e-6, foreach=False, fused=False)
    for step in range(10):
        share = 0.5 * (1 + math.cos(math.pi * step / 10))
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * share * group["scale"]
        for k, p in parameters.items():
            gradient = torch.randn(*shapes[k], generator=generator)
            p.grad = None if k == "bias" and step in (3, 7) else gradient
            out[f"gradient/{step}/{k}"] = gradient
        optimizer.step()
        for k, p in parameters.items():
            out[f"after/{step}/{k}"] = p.detach().clone()
    save_file(out, HERE / "adamw.safetensors")


if __name__ == "__main__":
    main_losses()
    main_adamw()
