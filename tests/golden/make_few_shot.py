"""Golden values of the few-shot methods on frozen features and prompts, from plain PyTorch as the papers describe them:
Tip-Adapter's logits and the keys after an epoch of Tip-Adapter-F, CLIP-Adapter's logits and gradients, the gradient of
CoOp's context vectors through a text tower made of PyTorch's own layers, LaplacianShot's answers.

    .venv/bin/python tests/golden/make_few_shot.py

writes few_shot.safetensors beside itself.
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

HERE = pathlib.Path(__file__).parent
F = nn.functional
ROWS, CLASSES, WIDTH, ASKED = 12, 4, 10, 7
SCALE, ALPHA, BETA, RATIO = 20.0, 1.17, 5.5, 0.3
tensors = {}


def keep(**values):
    for name, value in values.items():
        tensors[name.replace("__", "/")] = value.detach().clone().contiguous()


def unit(*shape):
    return F.normalize(torch.randn(*shape), dim=-1)


def features():
    keep(support=unit(ROWS, WIDTH), labels=torch.randint(CLASSES, (ROWS,)), asked=unit(ASKED, WIDTH),
         class_vectors=unit(CLASSES, WIDTH))
    return (tensors[name] for name in ("support", "labels", "asked", "class_vectors"))


def tip_logits(rows, keys, labels, class_vectors):
    """Zhang et al. 2022, equations 3 to 5"""
    affinity = torch.exp(-BETA * (1 - rows @ keys.T))
    return SCALE * rows @ class_vectors.T + ALPHA * affinity @ F.one_hot(labels, CLASSES).float()


def tip_adapter(support, labels, asked, class_vectors):
    keep(tip__logits=tip_logits(asked, support, labels, class_vectors))
    keys = nn.Parameter(support.clone())
    optimizer = torch.optim.AdamW([keys], lr=1e-3, eps=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    for epoch in range(20):  # all rows in one batch, so that their order does not matter
        loss = F.cross_entropy(tip_logits(support, keys, labels, class_vectors), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        keep(**{f"tip__keys_{epoch + 1}": keys} if epoch in (0, 19) else {})


def clip_adapter(support, labels, asked, class_vectors):
    """Gao et al. 2021, equations 4 to 7"""
    adapter = nn.Sequential(nn.Linear(WIDTH, 3, bias=False), nn.ReLU(), nn.Linear(3, WIDTH, bias=False), nn.ReLU())

    def logits(rows):
        mixed = RATIO * adapter(rows) + (1 - RATIO) * rows
        return SCALE * (mixed / mixed.norm(dim=-1, keepdim=True)) @ class_vectors.T

    F.cross_entropy(logits(support), labels).backward()
    down, up = adapter[0].weight, adapter[2].weight
    keep(adapter__down=down, adapter__up=up, adapter__logits=logits(asked), adapter__gradient_down=down.grad,
         adapter__gradient_up=up.grad)


def text_layer(width, heads):
    layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0, activation="gelu", batch_first=True,
                                       norm_first=True)
    names = {"self_attn.in_proj_weight": "attention.qkv.weight", "self_attn.in_proj_bias": "attention.qkv.bias",
             "self_attn.out_proj.weight": "attention.out.weight", "self_attn.out_proj.bias": "attention.out.bias",
             "linear1.weight": "mlp.up.weight", "linear1.bias": "mlp.up.bias",
             "linear2.weight": "mlp.down.weight", "linear2.bias": "mlp.down.bias",
             "norm1.weight": "attention_norm.weight", "norm1.bias": "attention_norm.bias",
             "norm2.weight": "mlp_norm.weight", "norm2.bias": "mlp_norm.bias"}
    with torch.no_grad():
        for name, value in layer.named_parameters():
            value.copy_(torch.randn_like(value) * .3 + (1 if value.dim() == 1 and "weight" in name else 0))
            keep(**{f"coop__weights/text.blocks.0.{names[name]}": value})
    return layer


def coop(support, labels, asked, class_vectors):
    """Zhou et al. 2022, equation 3: [BOS] v1 v2 name [EOS] through a causal tower that pools [EOS]. WIDTH is the space."""
    width, context, vocabulary, words = 8, 8, 20, 2
    layer = text_layer(width, 2)
    norm = nn.LayerNorm(width)
    tokens, positions, projection = torch.randn(vocabulary, width), torch.randn(context, width), torch.randn(WIDTH, width)
    bos, eos, place = 15, 16, 17
    names = [[1, 2], [3], [4, 5, 6], [7, 1]]
    length = 2 + words + max(map(len, names))
    ids, valid = torch.full((CLASSES, length), 14), torch.zeros(CLASSES, length, dtype=torch.bool)
    for row, name in enumerate(names):
        text = [bos] + [place] * words + name + [eos]
        ids[row, :len(text)] = torch.tensor(text)
        valid[row, :len(text)] = True
    vectors = nn.Parameter(torch.randn(words, width))
    inside = tokens[ids]
    inside = torch.cat([inside[:, :1], vectors.expand(CLASSES, words, width), inside[:, 1 + words:]], 1)
    mask = nn.Transformer.generate_square_subsequent_mask(length) < 0
    x = norm(layer(inside + positions[:length], src_mask=mask, src_key_padding_mask=~valid))
    ends = valid.sum(1) - 1
    pooled = torch.stack([x[row, end] for row, end in enumerate(ends)])
    made = F.normalize(pooled @ projection.T, dim=-1)
    F.cross_entropy(SCALE * support @ made.T, labels).backward()
    keep(**{"coop__weights/text.tokens": tokens, "coop__weights/text.positions": positions,
            "coop__weights/text.norm.weight": norm.weight, "coop__weights/text.norm.bias": norm.bias,
            "coop__weights/spaces.joint.text.weight": projection},
         coop__ids=ids, coop__valid=valid, coop__vectors=vectors, coop__class_vectors=made,
         coop__gradient=vectors.grad)


def laplacian_shot(rows, own, neighbours=3, strength=2.5):
    """Ziko et al. 2020, equation 12, with cosines as weights that sum to one: all pairs at once"""
    cosines = rows @ rows.T
    cosines.fill_diagonal_(-2)
    near = torch.zeros_like(cosines).scatter(1, cosines.topk(neighbours).indices, 1)
    weights = cosines.clamp_min(0) * (near + near.T)
    weights = weights / weights.sum(1, keepdim=True)
    z = own.softmax(1)
    for _ in range(20):
        drawn = own + strength * weights @ z
        z = drawn.softmax(1)
    keep(laplacian__rows=rows, laplacian__own=own, laplacian__logits=drawn)


torch.manual_seed(0)
values = list(features())
tip_adapter(*values)
clip_adapter(*values)
coop(*values)
laplacian_shot(unit(15, 4), torch.randn(15, 3))
save_file(tensors, HERE / "few_shot.safetensors")
print(sum(value.numel() * value.element_size() for value in tensors.values()), "bytes in", len(tensors), "tensors")
