"""Golden values of the towers, from PyTorch's own layers (nn.TransformerEncoderLayer, nn.Conv2d, nn.BatchNorm2d).

    .venv/bin/python tests/golden/make_encoders.py

writes encoders.safetensors beside itself: for each tower its parameters under duet's names, inputs and outputs.
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

HERE = pathlib.Path(__file__).parent
F = nn.functional
tensors = {}


def keep(tower, **values):
    for name, value in values.items():
        tensors[f"{tower}/{name}"] = value.detach().clone().contiguous()


def parameter(tower, name, value):
    tensors[f"{tower}/weights/{name}"] = value.detach().clone().contiguous()


def randomised(module):
    with torch.no_grad():
        for name, value in module.named_parameters():
            value.copy_(torch.randn_like(value) * .3 + (1 if value.dim() == 1 and "weight" in name else 0))
    return module


def block(tower, path, width, heads):
    layer = randomised(nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0, activation="gelu", batch_first=True,
                                                  norm_first=True))
    names = {"self_attn.in_proj_weight": "attention.qkv.weight", "self_attn.in_proj_bias": "attention.qkv.bias",
             "self_attn.out_proj.weight": "attention.out.weight", "self_attn.out_proj.bias": "attention.out.bias",
             "linear1.weight": "mlp.up.weight", "linear1.bias": "mlp.up.bias",
             "linear2.weight": "mlp.down.weight", "linear2.bias": "mlp.down.bias",
             "norm1.weight": "attention_norm.weight", "norm1.bias": "attention_norm.bias",
             "norm2.weight": "mlp_norm.weight", "norm2.bias": "mlp_norm.bias"}
    for name, value in layer.named_parameters():
        parameter(tower, f"{path}.{names[name]}", value)
    return layer


def norm(tower, path, width):
    layer = randomised(nn.LayerNorm(width))
    parameter(tower, f"{path}.weight", layer.weight)
    parameter(tower, f"{path}.bias", layer.bias)
    return layer


def text_transformer():
    width, context, vocabulary = 8, 6, 20
    tokens, positions = torch.randn(vocabulary, width), torch.randn(context, width)
    parameter("transformer", "tokens", tokens)
    parameter("transformer", "positions", positions)
    blocks = [block("transformer", f"blocks.{i}", width, 2) for i in range(1)]
    last = norm("transformer", "norm", width)
    ids = torch.randint(0, vocabulary, (3, 5))
    lengths = torch.tensor([5, 3, 1])
    valid = torch.arange(5)[None] < lengths[:, None]
    for name, mask in (("bidirectional", None), ("causal", nn.Transformer.generate_square_subsequent_mask(5) < 0)):
        x = tokens[ids] + positions[:5]
        for layer in blocks:
            x = layer(x, src_mask=mask, src_key_padding_mask=~valid)
        x = last(x)
        keep("transformer", **{f"{name}_eot": torch.stack([x[i, n - 1] for i, n in enumerate(lengths)]),
                               f"{name}_mean": torch.stack([x[i, :n].mean(0) for i, n in enumerate(lengths)]),
                               f"{name}_cls": x[:, 0]})
    keep("transformer", ids=ids, valid=valid)


def vit():
    width, patch, grid = 8, 4, 3
    convolution = randomised(nn.Conv2d(3, width, patch, patch, bias=False))
    parameter("vit", "patches.weight", convolution.weight.permute(0, 2, 3, 1).reshape(width, -1))
    class_token, positions = torch.randn(width), torch.randn(1 + grid * grid, width)
    parameter("vit", "class_token", class_token)
    parameter("vit", "positions", positions)
    first, blocks, last = norm("vit", "pre_norm", width), [block("vit", "blocks.0", width, 2)], norm("vit", "norm", width)
    for size in (12, 16):
        images = torch.randn(1, 3, size, size)
        cells = positions[1:].T.reshape(1, width, grid, grid)
        cells = F.interpolate(cells, size=size // patch, mode="bicubic", align_corners=False).flatten(2).transpose(1, 2)
        x = convolution(images).flatten(2).transpose(1, 2) + cells
        x = torch.cat([(class_token + positions[0]).expand(1, 1, width), x], 1)
        x = first(x)
        for layer in blocks:
            x = layer(x)
        x = last(x)
        keep("vit", **{f"images_{size}": images, f"cls_{size}": x[:, 0], f"mean_{size}": x[:, 1:].mean(1)})


class ConvNorm(nn.Module):
    def __init__(self, tower, path, norm_path, inward, out, kernel, stride):
        super().__init__()
        self.conv = nn.Conv2d(inward, out, kernel, stride, (kernel - 1) // 2, bias=False)
        self.norm = nn.BatchNorm2d(out)
        randomised(self)
        self.norm.running_mean.copy_(torch.randn(out))
        self.norm.running_var.copy_(torch.rand(out) + .5)
        parameter(tower, f"{path}.weight", self.conv.weight)
        for name in ("weight", "bias", "running_mean", "running_var"):
            parameter(tower, f"{norm_path}.{name}", getattr(self.norm, name))

    def forward(self, x):
        return self.norm(self.conv(x))


def residual(tower, path, names, inward, out, stride):
    one, two, side = (ConvNorm(tower, f"{path}.{conv}", f"{path}.{norm_}", *shape) for (conv, norm_), shape in
                      zip(names, ((inward, out, 3, stride), (out, out, 3, 1), (inward, out, 1, stride))))
    return one, two, side


def run_residual(parts, x):
    one, two, side = parts
    return F.relu(two(F.relu(one(x))) + side(x))


def convnet():
    stem = ConvNorm("convnet", "stem", "stem_norm", 3, 8, 3, 1)
    names = (("conv1", "norm1"), ("conv2", "norm2"), ("shortcut", "shortcut_norm"))
    stages = [residual("convnet", "stage0_0", names, 8, 8, 2), residual("convnet", "stage1_0", names, 8, 8, 2)]
    narrow = randomised(nn.Linear(8, 4))
    parameter("convnet", "map.weight", narrow.weight)
    parameter("convnet", "map.bias", narrow.bias)
    images = torch.randn(2, 3, 16, 16)
    modules = [stem] + [part for stage in stages for part in stage]
    for mode in ("eval", "train"):  # training last: it moves the running statistics
        for module in modules:
            module.train(mode == "train")
        x = F.relu(stem(images))
        for stage in stages:
            x = run_residual(stage, x)
        cells = narrow(F.adaptive_avg_pool2d(x, 2).permute(0, 2, 3, 1))
        keep("convnet", **{mode: torch.cat([cells.flatten(1), x.mean((2, 3))], 1)})
    keep("convnet", images=images, stem_running_mean=stem.norm.running_mean)


def resnet():
    stem = ConvNorm("resnet", "stem.conv", "stem.norm", 3, 8, 3, 1)
    names = tuple((f"{part}.conv", f"{part}.norm") for part in ("layer1", "layer2", "shortcut"))
    shapes = {"layer1": (8, 8, 1), "layer2": (8, 8, 3), "layer3": (8, 32, 1), "shortcut": (8, 32, 1)}
    one, two, three, side = (ConvNorm("resnet", f"stage0_0.{part}.conv", f"stage0_0.{part}.norm", *shape, 1)
                             for part, shape in shapes.items())
    for module in (stem, one, two, three, side):
        module.eval()
    images = torch.randn(2, 3, 8, 8)
    x = F.relu(stem(images))
    x = F.relu(three(F.relu(two(F.relu(one(x))))) + side(x))
    keep("resnet", images=images, pooled=x.mean((2, 3)))


def bag_of_tokens():
    width, vocabulary = 8, 20
    tokens, idf = torch.randn(vocabulary, width), torch.rand(vocabulary)
    parameter("bag", "tokens", tokens)
    last = norm("bag", "norm", width)
    ids = torch.tensor([[3, 4, 5, 0], [7, 0, 0, 0]])
    plain = torch.stack([tokens[[3, 4, 5]].mean(0), tokens[7]])
    weighted = torch.stack([sum(idf[i] * tokens[i] for i in (3, 4, 5)) / 3, idf[7] * tokens[7]])
    keep("bag", ids=ids, lengths=torch.tensor([3, 1]), idf=idf, mean=last(plain), weighted=last(weighted))


torch.manual_seed(0)
text_transformer()
vit()
convnet()
resnet()
bag_of_tokens()
save_file(tensors, HERE / "encoders.safetensors")
print(sum(value.numel() * value.element_size() for value in tensors.values()), "bytes in", len(tensors), "tensors")
