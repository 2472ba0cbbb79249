"""Golden values of masked_patch: MAE on a one-layer ViT and SimMIM on a small convolution tower, loss and gradients of
every parameter, from plain PyTorch as the papers describe them, patch by patch.

    .venv/bin/python tests/golden/make_masked_patch.py

writes masked_patch.safetensors beside itself.
"""
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
F = torch.nn.functional
SEED = 11
ROWS, SIZE, PATCH = 3, 16, 4
SIDE = SIZE // PATCH
CELLS = SIDE * SIDE
WIDTH, DECODER = 8, 12


def linear(p, name, x):
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def norm(p, name, x):
    return F.layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"])


def block(p, name, heads, x):
    """[L, D] -> [L, D], pre-norm (Vaswani et al. 2017)"""
    q, k, v = linear(p, f"{name}.attention.qkv", norm(p, f"{name}.attention_norm", x)).chunk(3, 1)
    parts, width = [], x.shape[1] // heads
    for head in range(heads):
        one = slice(head * width, (head + 1) * width)
        share = torch.softmax(q[:, one] @ k[:, one].T / width**0.5, 1)
        parts.append(share @ v[:, one])
    x = x + linear(p, f"{name}.attention.out", torch.cat(parts, 1))
    return x + linear(p, f"{name}.mlp.down", F.gelu(linear(p, f"{name}.mlp.up", norm(p, f"{name}.mlp_norm", x))))


def sincos(channels):
    """MoCo v3: a quarter of the channels each for sine and cosine of row and column."""
    rows = []
    for cell in range(CELLS):
        values = []
        for coordinate in (cell // SIDE, cell % SIDE):
            angles = [coordinate / 10000 ** (i / (channels // 4)) for i in range(channels // 4)]
            values += [torch.tensor(a).double().sin() for a in angles] + [torch.tensor(a).double().cos() for a in angles]
        rows.append(torch.stack(values))
    return torch.stack(rows)


def patch_of(pictures, row, cell):
    """The pixels of a cell, [3, PATCH, PATCH]"""
    y, x = cell // SIDE * PATCH, cell % SIDE * PATCH
    return pictures[row, :, y:y + PATCH, x:x + PATCH]


def mae(p, data, norm_pixels=True):
    """He et al. 2022: three quarters of the patches are hidden; the encoder sees the others and the class token."""
    pictures = (data["pictures"].double() / 255 - 0.5) / 0.5
    torch.manual_seed(SEED)
    draw = torch.rand(ROWS, CELLS)
    losses = []
    for row in range(ROWS):
        hidden = sorted(range(CELLS), key=lambda cell: draw[row, cell])[:CELLS * 3 // 4]
        visible = [cell for cell in range(CELLS) if cell not in hidden]
        tokens = [p["image.class_token"] + p["image.positions"][0]]
        for cell in visible:
            pixels = patch_of(pictures, row, cell).permute(1, 2, 0).flatten()
            tokens.append(p["image.patches.weight"] @ pixels + p["image.positions"][1 + cell])
        seen = norm(p, "image.norm", block(p, "image.blocks.0", 2, norm(p, "image.pre_norm", torch.stack(tokens))))
        seen = linear(p, "objective.decoder.in", seen)
        positions = sincos(DECODER)
        x = [seen[0]]
        for cell in range(CELLS):
            token = seen[1 + visible.index(cell)] if cell in visible else p["objective.decoder.mask_token"]
            x.append(token + positions[cell])
        x = torch.stack(x)
        for layer in range(2):
            x = block(p, f"objective.decoder.blocks.{layer}", 3, x)
        told = linear(p, "objective.decoder.cells.linear", norm(p, "objective.decoder.cells.norm", x))[1:]
        for cell in hidden:
            truth = patch_of(pictures, row, cell).flatten()
            if norm_pixels:
                truth = (truth - truth.mean()) / (truth.var() + 1e-6).sqrt()
            losses.append((told[cell] - truth).square().mean())
    return sum(losses) / len(losses)


def mae_plain(p, data):
    return mae(p, data, norm_pixels=False)


def simmim(p, data):
    """Xie et al. 2022: 0.6 of the cells in the mean colour, the absolute error of what each tells of its pixels."""
    torch.manual_seed(SEED)
    draw = torch.rand(ROWS, CELLS)
    shown, chosen = data["pictures"].clone(), []
    for row in range(ROWS):
        for cell in sorted(range(CELLS), key=lambda cell: draw[row, cell])[:round(0.6 * CELLS)]:
            patch_of(shown, row, cell)[:] = 128
            chosen.append((row, cell))
    pictures = (data["pictures"].double() / 255 - 0.5) / 0.5
    x = F.conv2d((shown.double() / 255 - 0.5) / 0.5, p["image.patch"], stride=PATCH)
    tokens = F.conv2d(F.gelu(x), p["image.mix"], padding=1).flatten(2).transpose(1, 2)
    told = linear(p, "objective.decoder.linear", norm(p, "objective.decoder.norm", tokens))
    losses = [(told[row, cell] - patch_of(pictures, row, cell).flatten()).abs().mean() for row, cell in chosen]
    return sum(losses) / len(losses)


def main():
    generator = torch.Generator().manual_seed(5)

    def normal(*shape, std=1.0):
        return std * torch.randn(*shape, generator=generator)

    def affine(name, out, inputs):
        return {f"{name}.weight": normal(out, inputs, std=inputs**-0.5), f"{name}.bias": normal(out, std=0.3)}

    def layer_norm(name, width):
        return {f"{name}.weight": 1 + normal(width, std=0.3), f"{name}.bias": normal(width, std=0.3)}

    def transformer_block(name, width, mlp):
        return (layer_norm(f"{name}.attention_norm", width) | affine(f"{name}.attention.qkv", 3 * width, width)
                | affine(f"{name}.attention.out", width, width) | layer_norm(f"{name}.mlp_norm", width)
                | affine(f"{name}.mlp.up", mlp, width) | affine(f"{name}.mlp.down", width, mlp))

    pixels = 3 * PATCH * PATCH
    data = {"pictures": torch.randint(256, (ROWS, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)}
    vit = ({"image.class_token": normal(WIDTH), "image.positions": normal(1 + CELLS, WIDTH),
            "image.patches.weight": normal(WIDTH, pixels, std=0.2)}
           | layer_norm("image.pre_norm", WIDTH) | transformer_block("image.blocks.0", WIDTH, 2 * WIDTH)
           | layer_norm("image.norm", WIDTH))
    decoder = (affine("decoder.in", DECODER, WIDTH) | {"decoder.mask_token": normal(DECODER)}
               | transformer_block("decoder.blocks.0", DECODER, 4 * DECODER)
               | transformer_block("decoder.blocks.1", DECODER, 4 * DECODER)
               | layer_norm("decoder.cells.norm", DECODER) | affine("decoder.cells.linear", pixels, DECODER))
    convolution = {"image.patch": normal(WIDTH, 3, PATCH, PATCH, std=0.2), "image.mix": normal(WIDTH, WIDTH, 3, 3, std=0.2)}
    cells = layer_norm("decoder.norm", WIDTH) | affine("decoder.linear", pixels, WIDTH)
    out = {f"batch/{k}": v for k, v in data.items()}
    for objective, tower, head in ((mae, vit, decoder), (mae_plain, vit, decoder), (simmim, convolution, cells)):
        name = objective.__name__
        named = tower | {f"objective.{k}": v for k, v in head.items()}
        leaves = {k: v.double().requires_grad_() for k, v in named.items()}
        loss = objective(leaves, data)
        loss.backward()
        out[f"{name}/loss"] = loss.detach().float()
        out |= {f"{name}/weight/{k}": v for k, v in named.items()}
        out |= {f"{name}/gradient/{k}": leaf.grad.float() for k, leaf in leaves.items()}
    save_file({k: v.clone().contiguous() for k, v in out.items()}, HERE / "masked_patch.safetensors")


if __name__ == "__main__":
    main()
