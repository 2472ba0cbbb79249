"""Golden values of whole objectives on the tiny towers of tests/losses/tiny_model.cpp: loss and gradients of every
parameter, from plain PyTorch as the papers describe them. Draws come from PyTorch's own generator at a seed, as duet's do.

    .venv/bin/python tests/golden/make_objectives.py

writes objectives.safetensors beside itself.
"""
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
F = torch.nn.functional
SEED = 11
ROWS, LENGTH = 4, 6
PIECES = 18  # [PAD] [BOS] [EOS] [MASK] [SEP] [CLS] follow
PAD, MASK, VOCABULARY = PIECES, PIECES + 3, PIECES + 6


def image_tower(p, pictures):
    """[N, 3, 8, 8] uint8 -> [N, 12]"""
    x = (pictures.double() / 255 - 0.5) / 0.5
    tokens = F.conv2d(x, p["image.kernel"], stride=4).flatten(2).transpose(1, 2)
    return (tokens + F.gelu(tokens @ p["image.mix"])).mean(1)


def text_tower(p, ids):
    """[B, L] -> [B, L, 10]"""
    return F.gelu(p["text.table"][ids])


def simclr(p, data):
    """Chen et al. 2020, equation 1 and algorithm 1: rows k and k + N are views of one picture."""
    x = image_tower(p, data["two_views"])
    x = F.linear(x, p["objective.head.linear0.weight"], p["objective.head.linear0.bias"])
    x = F.gelu(F.layer_norm(x, x.shape[1:], p["objective.head.norm1.weight"], p["objective.head.norm1.bias"]))
    z = F.linear(x, p["objective.head.linear1.weight"], p["objective.head.linear1.bias"])
    count = len(z)
    total = 0
    for i in range(count):
        partner = (i + ROWS) % count
        similar = [F.cosine_similarity(z[i], z[k], dim=0) / 0.1 for k in range(count)]
        others = torch.stack([similar[k] for k in range(count) if k != i])
        total = total - similar[partner] + torch.logsumexp(others, 0)
    return total / count


def rotation(p, data):
    """Gidaris et al. 2018, equations 2 and 3: all four turns of each picture."""
    total = 0
    for turn in range(4):
        logits = F.linear(image_tower(p, torch.rot90(data["pictures"], turn, (2, 3))),
                          p["objective.head.weight"], p["objective.head.bias"])
        total = total - torch.log_softmax(logits, 1)[:, turn].sum()
    return total / (4 * ROWS)


def piece_logits(p, x):
    x = F.gelu(F.linear(x, p["objective.head.linear.weight"], p["objective.head.linear.bias"]))
    x = F.layer_norm(x, x.shape[1:], p["objective.head.norm.weight"], p["objective.head.norm.bias"])
    return x @ p["text.table"].T + p["objective.head.bias"]


def masked_lm(p, data):
    """Devlin et al. 2019, section 3.1. The draws: one a position for the choice, one for its fate, then the other pieces."""
    ids, valid = data["tokens"], data["valid"]
    torch.manual_seed(SEED)
    draw, fate = torch.rand(ROWS, LENGTH), torch.rand(ROWS, LENGTH)
    held = torch.nonzero(data["counts"] > 0).flatten()
    other = held[torch.randint(len(held), (ROWS, LENGTH))]
    losses = []
    shown = ids.clone()
    chosen = []
    for row in range(ROWS):
        hidable = [i for i in range(LENGTH) if valid[row, i] and data["counts"][ids[row, i]] > 0]
        count = max(1, round(0.3 * len(hidable)))
        for i in sorted(hidable, key=lambda i: draw[row, i])[:count]:
            chosen.append((row, i))
            if fate[row, i] < 0.5:
                shown[row, i] = MASK
            elif fate[row, i] < 0.8:
                shown[row, i] = other[row, i]
    tokens = text_tower(p, shown)
    for row, i in chosen:
        losses.append(-torch.log_softmax(piece_logits(p, tokens[row, i][None]), 1)[0, ids[row, i]])
    return sum(losses) / len(losses)


def autoregressive_lm(p, data):
    """Radford et al. 2018, equation 1, mean over all pieces that follow another."""
    tokens, losses = text_tower(p, data["tokens"]), []
    for row in range(ROWS):
        for i in range(LENGTH - 1):
            if data["valid"][row, i + 1]:
                log_share = torch.log_softmax(piece_logits(p, tokens[row, i][None]), 1)[0]
                losses.append(-log_share[data["tokens"][row, i + 1]])
    return sum(losses) / len(losses)


def main():
    generator = torch.Generator().manual_seed(5)

    def normal(*shape, std=1.0):
        return std * torch.randn(*shape, generator=generator)

    data = {
        "pictures": torch.randint(256, (ROWS, 3, 8, 8), generator=generator, dtype=torch.uint8),
        "two_views": torch.randint(256, (2 * ROWS, 3, 8, 8), generator=generator, dtype=torch.uint8),
        "tokens": torch.randint(PIECES, (ROWS, LENGTH), generator=generator),
        "valid": torch.arange(LENGTH)[None] < torch.tensor([6, 3, 5, 4])[:, None],
        "counts": torch.randint(0, 3, (VOCABULARY,), generator=generator),
    }
    data["tokens"][~data["valid"]] = PAD
    data["counts"][PIECES:] = 0  # pieces that no caption holds are never hidden
    towers = {"image.kernel": normal(12, 3, 4, 4, std=0.3), "image.mix": normal(12, 12, std=0.4),
              "text.table": normal(VOCABULARY, 10)}
    projection = {"head.linear0.weight": normal(7, 12), "head.linear0.bias": normal(7), "head.norm1.weight": normal(7),
                  "head.norm1.bias": normal(7), "head.linear1.weight": normal(5, 7), "head.linear1.bias": normal(5)}
    pieces = {"head.linear.weight": normal(10, 10), "head.linear.bias": normal(10), "head.norm.weight": normal(10),
              "head.norm.bias": normal(10), "head.bias": normal(VOCABULARY)}
    heads = {simclr: projection, rotation: {"head.weight": normal(4, 12), "head.bias": normal(4)},
             masked_lm: pieces, autoregressive_lm: pieces}
    out = {f"batch/{k}": v for k, v in data.items()} | {f"tower/{k}": v for k, v in towers.items()}
    for objective, parameters in heads.items():
        name = objective.__name__
        named = towers | {f"objective.{k}": v for k, v in parameters.items()}
        leaves = {k: v.double().requires_grad_() for k, v in named.items()}
        loss = objective(leaves, data)
        loss.backward()
        out[f"{name}/loss"] = loss.detach().float()
        for k, v in parameters.items():
            out[f"{name}/head/objective.{k}"] = v
        for k, leaf in leaves.items():
            if leaf.grad is not None:
                out[f"{name}/gradient/{k}"] = leaf.grad.float()
    save_file({k: v.clone().contiguous() for k, v in out.items()}, HERE / "objectives.safetensors")


if __name__ == "__main__":
    main()
