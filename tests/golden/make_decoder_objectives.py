"""Golden values of the objectives whose decoder looks at another sequence (captioning, denoising, image_text_matching)
and of next_sentence: loss and gradients of every parameter, from plain PyTorch as the papers describe them, row by row.
Towers are those of tests/losses/tiny_model.cpp, and for next_sentence a transformer of one layer. Draws come from
PyTorch's own generator at a seed, as duet's do.

    .venv/bin/python tests/golden/make_decoder_objectives.py

writes decoder_objectives.safetensors beside itself.
"""
import math
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
F = torch.nn.functional
SEED = 11
ROWS, LENGTH, CONTEXT = 5, 6, 32
PIECES = 18  # [PAD] [BOS] [EOS] [MASK] [SEP] [CLS] follow
PAD, BOS, EOS, MASK, SEP, CLS = range(PIECES, PIECES + 6)
VOCABULARY = PIECES + 6
WIDTH, CELL = 10, 12  # of a text token and of a picture's
NEXT_WIDTH, NEXT_CONTEXT = 8, 10  # of the transformer that reads two texts


def linear(p, name, x):
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def norm(p, name, x):
    return F.layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"])


def attention(q, k, v, heads, seen):
    """One row: q [L, D], k and v [M, D], seen [L, M] bool -> [L, D]"""
    out, width = [], q.shape[1] // heads
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        scores = q[:, part] @ k[:, part].T / math.sqrt(width)
        out.append(torch.softmax(scores.masked_fill(~seen, -math.inf), 1) @ v[:, part])
    return torch.cat(out, 1)


def mlp(p, name, x):
    return x + linear(p, f"{name}.mlp.down", F.gelu(linear(p, f"{name}.mlp.up", norm(p, f"{name}.mlp_norm", x))))


def self_attention(p, name, x, heads, seen):
    q, k, v = linear(p, f"{name}.attention.qkv", norm(p, f"{name}.attention_norm", x)).chunk(3, 1)
    return x + linear(p, f"{name}.attention.out", attention(q, k, v, heads, seen))


def decoder(p, name, x, memory, causal, layers):
    """One row without padding: x [L, D], memory [M, D'] -> [L, D]"""
    x = x + p[f"{name}.positions"][:len(x)]
    memory = norm(p, f"{name}.memory_norm", memory)
    seen = torch.ones(len(x), len(x), dtype=torch.bool)
    for i in range(layers):
        block = f"{name}.block{i}"
        x = self_attention(p, block, x, 2, seen.tril() if causal else seen)
        q = linear(p, f"{block}.memory_query", norm(p, f"{block}.memory_norm", x))
        k, v = linear(p, f"{block}.memory_key_value", memory).chunk(2, 1)
        everything = torch.ones(len(x), len(memory), dtype=torch.bool)
        x = x + linear(p, f"{block}.memory_out", attention(q, k, v, 2, everything))
        x = mlp(p, block, x)
    return norm(p, f"{name}.norm", x)


def cells(p, data):
    """The tower's four tokens of each picture, [B, 4, 12]"""
    x = (data["pictures"].double() / 255 - 0.5) / 0.5
    tokens = F.conv2d(x, p["image.kernel"], stride=4).flatten(2).transpose(1, 2)
    return tokens + F.gelu(tokens @ p["image.mix"])


def text_tower(p, ids):
    return F.gelu(p["text.table"][ids])


def captions(data):
    return [ids[valid] for ids, valid in zip(data["tokens"], data["valid"])]


def piece_losses(p, hidden, ids):
    x = norm(p, "objective.teller.head.norm", F.gelu(linear(p, "objective.teller.head.linear", hidden)))
    logits = x @ p["text.table"].T + p["objective.teller.head.bias"]
    return [-torch.log_softmax(row, 0)[i] for row, i in zip(logits, ids)]


def told(p, memories, data, layers):
    """Each caption's pieces and its end, each from those before it."""
    losses = []
    for ids, memory in zip(captions(data), memories):
        shown = torch.tensor([BOS, *ids.tolist()])
        hidden = decoder(p, "objective.teller.decoder", p["text.table"][shown], memory, True, layers)
        losses += piece_losses(p, hidden, [*ids.tolist(), EOS])
    return sum(losses) / len(losses)


def captioning(p, data):
    """Yu et al. 2022, equation 3, with attention to all tokens of the picture."""
    return told(p, cells(p, data), data, 2)


def parallel_captioning(p, data):
    """Tschannen et al. 2023, section 3: all inputs are masks, and there is no causal mask."""
    losses, masks = [], torch.full((LENGTH + 1,), MASK)
    for ids, memory in zip(captions(data), cells(p, data)):
        hidden = decoder(p, "objective.teller.decoder", p["text.table"][masks], memory, False, 1)
        losses += piece_losses(p, hidden, [*ids.tolist(), EOS])
    return sum(losses) / len(losses)


def damaged(data, share, distance):
    torch.manual_seed(SEED)
    draw, noise = torch.rand(ROWS, LENGTH), torch.rand(ROWS, LENGTH)
    rows = []
    for row, ids in enumerate(captions(data)):
        kept = [i for i in range(len(ids)) if draw[row, i] >= share] or [int(draw[row, :len(ids)].argmax())]
        rows.append(ids[sorted(kept, key=lambda i: float(i + noise[row, i] * (distance + 1)))])
    return rows


def denoising(p, data):
    """Lewis et al. 2020, equation in section 2.2: the tokens of the damaged text are what the decoder sees."""
    return told(p, [text_tower(p, ids) for ids in damaged(data, 0.5, 2)], data, 1)


def pooled_denoising(p, data):
    """Wang et al. 2021, section 3: one vector of the damaged text is all that it sees."""
    return told(p, [text_tower(p, ids).mean(0)[None] for ids in damaged(data, 0.5, 2)], data, 1)


def image_text_matching(p, data):
    """Li et al. 2021, section 3.2."""
    pictures, texts = cells(p, data), [text_tower(p, ids) for ids in captions(data)]
    x = F.normalize(pictures.mean(1) @ p["spaces.joint.image.weight"].T)
    y = F.normalize(torch.stack([t.mean(0) for t in texts]) @ p["spaces.joint.text.weight"].T)
    alike = (p["spaces.joint.logit_scale"].exp() * x @ y.T).detach().float()
    related = torch.zeros(ROWS, ROWS, dtype=torch.bool)
    for name in ("image_id", "caption_id", "concept_id"):
        related |= data[name][:, None] == data[name][None]
    torch.manual_seed(SEED)
    asked = [(i, i, 1) for i in range(ROWS)]
    drawn = torch.multinomial(torch.softmax(alike.masked_fill(related, -math.inf), 1), 1).flatten()
    asked += [(i, int(drawn[i]), 0) for i in range(ROWS)]
    drawn = torch.multinomial(torch.softmax(alike.T.masked_fill(related.T, -math.inf), 1), 1).flatten()
    asked += [(int(drawn[i]), i, 0) for i in range(ROWS)]
    losses, surplus = [], []
    for picture, text, match in asked:
        fused = decoder(p, "objective.fusion", texts[text], pictures[picture], False, 1).mean(0)
        logits = linear(p, "objective.head", fused)
        losses.append(-torch.log_softmax(logits, 0)[match])
        surplus.append(float((logits[1] - logits[0]).detach()))
    # A wrong couple's right one is its picture's, then its caption's: the same row.
    data["preferred"] = torch.tensor([surplus[i % ROWS] > s for i, s in enumerate(surplus) if i >= ROWS]).float().mean()
    return sum(losses) / len(losses)


def next_sentence(p, data):
    """Devlin et al. 2019, section 3.1 and appendix A.2; cut as the authors do, a piece of the longer text at a time."""
    torch.manual_seed(SEED)
    own, draw = torch.rand(ROWS) < 0.5, torch.rand(ROWS, ROWS)
    nexts = [ids[valid & (ids < PIECES)] for ids, valid in zip(data["follows"], data["follows_valid"])]
    losses = []
    for row, first in enumerate(captions(data)):
        if len(nexts[row]) == 0:
            continue
        strangers = [j for j in range(ROWS) if len(nexts[j]) > 0 and
                     all(data[k][j] != data[k][row] for k in ("image_id", "caption_id", "concept_id"))]
        second = nexts[row if own[row] else max(strangers, key=lambda j: draw[row, j])].tolist()
        first = first.tolist()
        while len(first) + len(second) > NEXT_CONTEXT - 3:
            (first if len(first) > len(second) else second).pop()
        ids = torch.tensor([CLS, *first, SEP, *second, SEP])
        segments = torch.tensor([0] * (len(first) + 2) + [1] * (len(second) + 1))
        x = p["text.tokens"][ids] + p["text.segments"][segments] + p["text.positions"][:len(ids)]
        seen = torch.ones(len(ids), len(ids), dtype=torch.bool)
        x = norm(p, "text.norm", mlp(p, "text.blocks.0", self_attention(p, "text.blocks.0", x, 2, seen)))
        logits = linear(p, "objective.head", torch.tanh(linear(p, "objective.pooler", x[0])))
        losses.append(-torch.log_softmax(logits, 0)[int(own[row])])
    return sum(losses) / len(losses)


def main():
    generator = torch.Generator().manual_seed(7)

    def normal(*shape, std=0.3):
        return std * torch.randn(*shape, generator=generator)

    def norm_of(name, width):
        return {f"{name}.weight": 1 + normal(width), f"{name}.bias": normal(width)}

    def linear_of(name, into, out):
        return {f"{name}.weight": normal(out, into), f"{name}.bias": normal(out)}

    def block(name, width):
        return (norm_of(f"{name}attention_norm", width) | linear_of(f"{name}attention.qkv", width, 3 * width) |
                linear_of(f"{name}attention.out", width, width) | norm_of(f"{name}mlp_norm", width) |
                linear_of(f"{name}mlp.up", width, 4 * width) | linear_of(f"{name}mlp.down", 4 * width, width))

    def decoder_of(name, memory, length, layers):
        made = {f"{name}.positions": normal(length, WIDTH)} | norm_of(f"{name}.memory_norm", memory)
        for i in range(layers):
            inner = f"{name}.block{i}."
            made |= (block(inner, WIDTH) | norm_of(f"{inner}memory_norm", WIDTH) |
                     linear_of(f"{inner}memory_query", WIDTH, WIDTH) |
                     linear_of(f"{inner}memory_key_value", memory, 2 * WIDTH) |
                     linear_of(f"{inner}memory_out", WIDTH, WIDTH))
        return made | norm_of(f"{name}.norm", WIDTH)

    def teller(memory, layers):
        return (decoder_of("teller.decoder", memory, CONTEXT + 1, layers) |
                linear_of("teller.head.linear", WIDTH, WIDTH) | norm_of("teller.head.norm", WIDTH) |
                {"teller.head.bias": normal(VOCABULARY)})

    def rows_of(lengths, columns):
        ids = torch.randint(PIECES, (ROWS, columns), generator=generator)
        valid = torch.arange(columns)[None] < torch.tensor(lengths)[:, None]
        return ids.masked_fill(~valid, PAD), valid

    data = {"pictures": torch.randint(256, (ROWS, 3, 8, 8), generator=generator, dtype=torch.uint8),
            "image_id": torch.tensor([1, 2, 3, 3, 5]), "caption_id": torch.tensor([11, 12, 13, 14, 15]),
            "concept_id": torch.tensor([21, 21, 23, 23, 25])}
    data["tokens"], data["valid"] = rows_of([6, 3, 5, 1, 4], LENGTH)
    data["follows"], data["follows_valid"] = rows_of([5, 2, 0, 4, 5], 5)
    tiny = {"image.kernel": normal(12, 3, 4, 4), "image.mix": normal(12, 12, std=0.4),
            "text.table": normal(VOCABULARY, WIDTH, std=1.0), "spaces.joint.image.weight": normal(6, CELL),
            "spaces.joint.text.weight": normal(6, WIDTH), "spaces.joint.logit_scale": torch.tensor(1.0)}
    reader = ({"text.tokens": normal(VOCABULARY, NEXT_WIDTH, std=1.0), "text.positions": normal(NEXT_CONTEXT, NEXT_WIDTH),
               "text.segments": normal(2, NEXT_WIDTH)} | block("text.blocks.0.", NEXT_WIDTH) |
              norm_of("text.norm", NEXT_WIDTH))
    heads = {captioning: teller(CELL, 2), parallel_captioning: teller(CELL, 1), denoising: teller(WIDTH, 1),
             pooled_denoising: teller(WIDTH, 1),
             image_text_matching: decoder_of("fusion", CELL, CONTEXT, 1) | linear_of("head", WIDTH, 2),
             next_sentence: linear_of("pooler", NEXT_WIDTH, NEXT_WIDTH) | linear_of("head", NEXT_WIDTH, 2)}
    out = {f"batch/{k}": v for k, v in data.items()} | {f"tower/{k}": v for k, v in (tiny | reader).items()}
    for objective, parameters in heads.items():
        name = objective.__name__
        towers = reader if objective is next_sentence else tiny
        named = towers | {f"objective.{k}": v for k, v in parameters.items()}
        leaves = {k: v.double().requires_grad_() for k, v in named.items()}
        loss = objective(leaves, data)
        loss.backward()
        out[f"{name}/loss"] = loss.detach().float()
        if "preferred" in data:
            out[f"{name}/preferred"] = data.pop("preferred")
        for k, v in parameters.items():
            out[f"{name}/head/objective.{k}"] = v
        for k, leaf in leaves.items():
            if leaf.grad is not None and leaf.grad.abs().max() > 0:
                out[f"{name}/gradient/{k}"] = leaf.grad.float()
        print(name, loss.item(), sum(k.startswith(f"{name}/gradient/") for k in out))
    save_file({k: v.clone().contiguous() for k, v in out.items()}, HERE / "decoder_objectives.safetensors")


if __name__ == "__main__":
    main()
