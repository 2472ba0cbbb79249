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


def cells(p, pictures):
    """[N, 3, 8, 8] -> normalised pictures and the tower's four tokens [N, 4, 12]"""
    x = (pictures.double() / 255 - 0.5) / 0.5
    tokens = F.conv2d(x, p["image.kernel"], stride=4).flatten(2).transpose(1, 2)
    return x, tokens + F.gelu(tokens @ p["image.mix"])


def inpainting(p, data):
    """Pathak et al. 2016, equation 1: a square of a quarter of the area, grey, and the squared error inside it."""
    pictures, total, pixels = data["pictures"], 0, 0
    torch.manual_seed(SEED)
    top, left = torch.randint(5, (ROWS,)), torch.randint(5, (ROWS,))
    hidden = pictures.clone()
    for row in range(ROWS):
        hidden[row, :, top[row]:top[row] + 4, left[row]:left[row] + 4] = 128
    truth, tokens = cells(p, pictures)[0], cells(p, hidden)[1]
    x = F.layer_norm(tokens, (12,), p["objective.decoder.norm.weight"], p["objective.decoder.norm.bias"])
    told = F.linear(x, p["objective.decoder.linear.weight"], p["objective.decoder.linear.bias"])  # [N, 4, 48]
    for row in range(ROWS):
        for y in range(top[row], top[row] + 4):
            for x in range(left[row], left[row] + 4):
                cell = (y // 4) * 2 + x // 4
                for c in range(3):
                    value = told[row, cell, c * 16 + (y % 4) * 4 + x % 4]
                    total, pixels = total + (value - truth[row, c, y, x]) ** 2, pixels + 1
    return total / pixels


def jigsaw(p, data):
    """Noroozi and Favaro 2016: tiles of 1 pixel (cells of two, less one of jitter), their mean taken out: grey."""
    torch.manual_seed(SEED)
    kinds = torch.randint(3, (ROWS,))
    down, right = torch.randint(2, (ROWS, 9)), torch.randint(2, (ROWS, 9))
    total = 0
    for row in range(ROWS):
        tiles = []
        for i, cell in enumerate(data["permutations"][kinds[row]].tolist()):
            y, x = cell // 3 * 2 + down[row, i], cell % 3 * 2 + right[row, i]
            tile = data["pictures"][row, :, y, x].float()
            spread = (tile - tile.mean()).square().mean().sqrt().clamp_min(4)
            tile = ((tile - tile.mean()) / spread * 64 + 128).clamp(0, 255).round()
            tiles.append(tile[:, None, None].expand(3, 8, 8))
        feature = cells(p, torch.stack(tiles))[1].mean(1)  # [9, 12]
        seen = F.gelu(F.linear(feature, p["objective.tile.weight"], p["objective.tile.bias"])).flatten()
        x = F.linear(seen, p["objective.head.linear0.weight"], p["objective.head.linear0.bias"])
        x = F.gelu(F.layer_norm(x, x.shape, p["objective.head.norm1.weight"], p["objective.head.norm1.bias"]))
        logits = F.linear(x, p["objective.head.linear1.weight"], p["objective.head.linear1.bias"])
        total = total - torch.log_softmax(logits, 0)[kinds[row]]
    return total / ROWS


def decoded(p, code):
    """[N, 5] -> [N, 3, 8, 8]"""
    x = F.linear(code, p["objective.decoder.linear.weight"], p["objective.decoder.linear.bias"])[:, :, None, None]
    for i in range(3):
        x = F.interpolate(F.gelu(x), scale_factor=2)
        x = F.conv2d(x, p[f"objective.decoder.conv{i}.weight"], p[f"objective.decoder.conv{i}.bias"], padding=1)
    return x


def code_of(p, data):
    truth, tokens = cells(p, data["pictures"])
    return truth, F.linear(tokens.mean(1), p["objective.code.weight"], p["objective.code.bias"])


def autoencoder(p, data):
    truth, code = code_of(p, data)
    return F.mse_loss(decoded(p, code), truth)


def variational(p, data):
    """Kingma and Welling 2014, equation 10, negated: unit variance a pixel, divided by half the number of pixels."""
    truth, code = code_of(p, data)
    mean, log_variance = code[:, :5], code[:, 5:]
    torch.manual_seed(SEED)
    drawn = mean + torch.exp(log_variance / 2) * torch.randn(ROWS, 5)
    bound = 0.5 * ((decoded(p, drawn) - truth) ** 2).sum() / ROWS
    bound = bound - 0.5 * (1 + log_variance - mean ** 2 - torch.exp(log_variance)).sum() / ROWS
    return bound / (192 / 2)


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
    data["permutations"] = torch.stack([torch.randperm(9, generator=generator) for _ in range(3)])
    data["counts"][PIECES:] = 0  # pieces that no caption holds are never hidden
    towers = {"image.kernel": normal(12, 3, 4, 4, std=0.3), "image.mix": normal(12, 12, std=0.4),
              "text.table": normal(VOCABULARY, 10)}
    projection = {"head.linear0.weight": normal(7, 12), "head.linear0.bias": normal(7), "head.norm1.weight": normal(7),
                  "head.norm1.bias": normal(7), "head.linear1.weight": normal(5, 7), "head.linear1.bias": normal(5)}
    pieces = {"head.linear.weight": normal(10, 10), "head.linear.bias": normal(10), "head.norm.weight": normal(10),
              "head.norm.bias": normal(10), "head.bias": normal(VOCABULARY)}
    decoder = {"decoder.linear.weight": normal(4, 5), "decoder.linear.bias": normal(4)}
    for i, out in enumerate((4, 4, 3)):
        decoder |= {f"decoder.conv{i}.weight": normal(out, 4, 3, 3, std=0.3), f"decoder.conv{i}.bias": normal(out)}
    cell = {"decoder.norm.weight": normal(12), "decoder.norm.bias": normal(12), "decoder.linear.weight": normal(48, 12),
            "decoder.linear.bias": normal(48)}
    code = {"code.weight": normal(10, 12, std=0.1), "code.bias": normal(10)}
    puzzle = {"tile.weight": normal(4, 12), "tile.bias": normal(4), "head.linear0.weight": normal(6, 36, std=0.2),
              "head.linear0.bias": normal(6), "head.norm1.weight": normal(6), "head.norm1.bias": normal(6),
              "head.linear1.weight": normal(3, 6), "head.linear1.bias": normal(3)}
    heads = {jigsaw: puzzle, inpainting: cell, variational: decoder | code,
             autoencoder: decoder | {k: v[:5] for k, v in code.items()}, simclr: projection, rotation: {"head.weight": normal(4, 12), "head.bias": normal(4)},
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
