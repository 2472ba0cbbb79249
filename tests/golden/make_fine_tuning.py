"""Golden values of methods that train a tower, from plain PyTorch: what low-rank parts of a vision transformer get as
gradients (LoRA, Hu et al. 2022), and what the mean of two networks answers (WiSE-FT, Wortsman et al. 2022).

    .venv/bin/python tests/golden/make_fine_tuning.py

writes fine_tuning.safetensors beside itself, parameters under duet's names.
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
WIDTH, PATCH, GRID, LAYERS, HEADS, RANK, CLASSES = 8, 4, 3, 2, 2, 2, 3


def draw_weights():
    weights = {"image.patches.weight": torch.randn(WIDTH, 3 * PATCH * PATCH) * .2,
               "image.class_token": torch.randn(WIDTH),
               "image.positions": torch.randn(1 + GRID * GRID, WIDTH),
               "head.weight": torch.randn(CLASSES, WIDTH), "head.bias": torch.randn(CLASSES)}

    def norm(name):
        weights[f"{name}.weight"], weights[f"{name}.bias"] = torch.randn(WIDTH) * .3 + 1, torch.randn(WIDTH) * .3

    def linear(name, inward, out):
        weights[f"{name}.weight"], weights[f"{name}.bias"] = torch.randn(out, inward) * .4, torch.randn(out) * .3

    norm("image.pre_norm")
    norm("image.norm")
    for i in range(LAYERS):
        block = f"image.blocks.{i}"
        norm(f"{block}.attention_norm")
        norm(f"{block}.mlp_norm")
        linear(f"{block}.attention.qkv", WIDTH, 3 * WIDTH)
        linear(f"{block}.attention.out", WIDTH, WIDTH)
        linear(f"{block}.mlp.up", WIDTH, 4 * WIDTH)
        linear(f"{block}.mlp.down", 4 * WIDTH, WIDTH)
    return weights


def draw_parts(weights):
    parts = {}
    for name, value in weights.items():
        if name.startswith("image.") and name.endswith(".weight") and value.dim() == 2:
            name = name.removesuffix(".weight")
            parts[f"{name}.lora_a"] = torch.randn(RANK, value.shape[1]) * .3
            parts[f"{name}.lora_b"] = torch.randn(value.shape[0], RANK) * .3
    return parts


def logits(weights, parts, images):
    def linear(name, x):
        y = F.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))
        if f"{name}.lora_a" in parts:
            y = y + x @ parts[f"{name}.lora_a"].T @ parts[f"{name}.lora_b"].T
        return y

    def norm(name, x):
        return F.layer_norm(x, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"])

    pixels = (images.float() / 255 - .5) / .5
    count = len(images)
    # A patch is (row, column, channel).
    cut = pixels.permute(0, 2, 3, 1).reshape(count, GRID, PATCH, GRID, PATCH, 3).permute(0, 1, 3, 2, 4, 5)
    x = linear("image.patches", cut.reshape(count, GRID * GRID, -1)) + weights["image.positions"][1:]
    first = weights["image.class_token"] + weights["image.positions"][0]
    x = norm("image.pre_norm", torch.cat([first.expand(count, 1, WIDTH), x], 1))
    for i in range(LAYERS):
        block = f"image.blocks.{i}"
        q, k, v = (part.reshape(count, -1, HEADS, WIDTH // HEADS).transpose(1, 2) for part in
                   linear(f"{block}.attention.qkv", norm(f"{block}.attention_norm", x)).chunk(3, -1))
        attention = (q @ k.transpose(-1, -2) / (WIDTH // HEADS) ** .5).softmax(-1) @ v
        x = x + linear(f"{block}.attention.out", attention.transpose(1, 2).reshape(count, -1, WIDTH))
        x = x + linear(f"{block}.mlp.down", F.gelu(linear(f"{block}.mlp.up", norm(f"{block}.mlp_norm", x))))
    return F.linear(norm("image.norm", x)[:, 0], weights["head.weight"], weights["head.bias"])


torch.manual_seed(0)
start = draw_weights()
parts = draw_parts(start)
images = torch.randint(0, 256, (5, 3, GRID * PATCH, GRID * PATCH), dtype=torch.uint8)
labels = torch.tensor([0, 2, 1, 1, 2])
tensors = {"images": images, "labels": labels}

learning = {name: value.clone().requires_grad_(True) for name, value in parts.items()}
loss = F.cross_entropy(logits(start, learning, images), labels)
loss.backward()
tensors["loss"] = loss.detach()
for name, value in learning.items():
    tensors[f"part/{name}"] = value.detach().clone()
    tensors[f"gradient/{name}"] = value.grad

tuned = {name: value + torch.randn_like(value) * .2 for name, value in start.items()}
mean = {name: (value + tuned[name]) / 2 for name, value in start.items()}
for name in start:
    tensors[f"start/{name}"], tensors[f"tuned/{name}"] = start[name], tuned[name]
tensors["start_logits"], tensors["tuned_logits"] = logits(start, {}, images), logits(tuned, {}, images)
tensors["mean_logits"] = logits(mean, {}, images)

save_file({name: value.contiguous() for name, value in tensors.items()}, HERE / "fine_tuning.safetensors")
print(sum(value.numel() * value.element_size() for value in tensors.values()), "bytes in", len(tensors), "tensors")
