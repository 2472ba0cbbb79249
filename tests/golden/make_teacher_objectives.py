"""Golden values of the objectives with momentum teachers, over three steps of plain SGD (variants: one): loss, gradients, and
after each step the teacher, the twin of the head, MoCo's queue and the centre. From plain PyTorch in double precision as the papers
describe them; draws come from PyTorch's own generator at a seed, as duet's do.

    .venv/bin/python tests/golden/make_teacher_objectives.py

writes teacher_objectives.safetensors beside itself.
"""
import math
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
F = torch.nn.functional
SEED, STEPS, RATE, ROWS = 21, 3, 0.1, 4


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def tiny_tower(p, pictures):
    """tests/losses/tiny_model.cpp: [N, 3, H, W] uint8 -> [N, 12]"""
    x = (pictures.double() / 255 - 0.5) / 0.5
    tokens = F.conv2d(x, p["image.kernel"], stride=4).flatten(2).transpose(1, 2)
    return (tokens + F.gelu(tokens @ p["image.mix"])).mean(1)


def projection(p, path, x, layers=2):
    for layer in range(layers):
        if layer > 0:
            x = F.gelu(F.layer_norm(x, x.shape[1:], p[f"{path}.norm{layer}.weight"], p[f"{path}.norm{layer}.bias"]))
        x = F.linear(x, p[f"{path}.linear{layer}.weight"], p[f"{path}.linear{layer}.bias"])
    return x


def follow_share(start, end, step):
    """Grill et al. 2020, section 3.3: tau = 1 - (1 - tau_base) (cos(pi k / K) + 1) / 2, here from start to end."""
    return end - (end - start) * (math.cos(math.pi * step / STEPS) + 1) / 2


def moco(p, t, state, data, step):
    """He et al. 2020, algorithm 1, with a queue that is not full yet, and without keys of the query's own picture."""
    q = unit(projection(p, "objective.head", tiny_tower(p, data["pictures"][:ROWS])))
    k = unit(projection(t, "objective.head", tiny_tower(t, data["pictures"][ROWS:])))
    filled = min(state["queue.pushed"].item(), 8)
    total = 0
    for row in range(ROWS):
        logits = [q[row] @ k[row]]
        logits += [q[row] @ state["queue.keys"][i] for i in range(filled) if state["queue.ids"][i] != data["ids"][row]]
        total = total - torch.log_softmax(torch.stack(logits) / 0.2, 0)[0]

    def advance():
        for row in range(ROWS):
            at = state["queue.pushed"].item() % 8
            state["queue.keys"][at], state["queue.ids"][at] = k[row], data["ids"][row]
            state["queue.pushed"] += 1
    return total / ROWS, advance


def moco_in_batch(p, t, state, data, step):
    """Chen et al. 2021, algorithm 1 without the predictor: both directions, the mean of both."""
    q = unit(projection(p, "objective.head", tiny_tower(p, data["pictures"])))
    k = unit(projection(t, "objective.head", tiny_tower(t, data["pictures"])))
    total = 0
    for asked, told in ((q[:ROWS], k[ROWS:]), (q[ROWS:], k[:ROWS])):
        for row in range(ROWS):
            logits = [asked[row] @ told[row]]
            logits += [asked[row] @ told[i] for i in range(ROWS) if data["ids"][i] != data["ids"][row]]
            total = total - torch.log_softmax(torch.stack(logits) / 0.5, 0)[0]
    return total / (2 * ROWS), lambda: None


def byol(p, t, state, data, step, centre=True):
    """Grill et al. 2020, equation 2, both directions added; centred: the teacher's features without their mean."""
    told = projection(p, "objective.predictor", projection(p, "objective.head", tiny_tower(p, data["pictures"])))
    truth = projection(t, "objective.head", tiny_tower(t, data["pictures"]))
    if centre:
        truth = truth - sum(truth) / len(truth)
    total = 0
    for row in range(ROWS):
        for one, other in ((row, ROWS + row), (ROWS + row, row)):
            total = total + (unit(told[one]) - unit(truth[other])).square().sum()
    return total / ROWS, lambda: None


def byol_plain(*given):
    return byol(*given, centre=False)


def prototype_logits(p, path, x, frozen=False):
    prototypes = p[f"{path}.prototypes"]
    prototypes = unit(prototypes.detach() if frozen else prototypes)
    return unit(projection(p, f"{path}.projection", x, 3)) @ prototypes.T


def teacher_temperature(step):
    return 0.2 + 0.2 * min(1.0, step / STEPS / 0.5)


def centred_targets(state, said, step):
    """Caron et al. 2021, equation 4, from the first step's mean on; and what becomes of the centre after the step."""
    centre = said.mean(0) if step == 0 else state["head.centre"]

    def advance():
        state["head.centre"] = 0.9 * centre + 0.1 * said.mean(0)
    return torch.softmax((said - centre) / teacher_temperature(step), 1), advance


def self_distillation(p, t, state, data, step):
    """Caron et al. 2021, algorithm 1 with small crops (equation 3); the last layer is frozen in the first step."""
    frozen = step == 0
    path = "objective.head.student"
    said = prototype_logits(t, path, tiny_tower(t, data["pictures"]))
    targets, advance = centred_targets(state, said, step)
    views = list(data["pictures"].split(ROWS)) + list(data["small"].split(ROWS))
    total, pairs = 0, 0
    for v, view in enumerate(views):
        log_shares = torch.log_softmax(prototype_logits(p, path, tiny_tower(p, view), frozen) / 0.3, 1)
        for g in range(2):
            if g != v:
                total = total - (targets[g * ROWS:(g + 1) * ROWS] * log_shares).sum(1).mean()
                pairs += 1
    return total / pairs, advance


def vit_embed(p, pictures, hidden=None):
    """[N, 3, 16, 16] uint8 -> class token and 16 patches of 8 numbers; hidden [N, 16] bool become the mask token."""
    x = (pictures.double() / 255 - 0.5) / 0.5
    kernel = p["image.patches.weight"].reshape(8, 4, 4, 3).permute(0, 3, 1, 2)
    patches = F.conv2d(x, kernel, stride=4).flatten(2).transpose(1, 2)
    if hidden is not None:
        patches = torch.where(hidden[:, :, None], p["objective.mask_token"], patches)
    patches = patches + p["image.positions"][1:]
    first = p["image.class_token"] + p["image.positions"][0]
    return torch.cat([first.expand(len(x), 1, 8), patches], 1)


def norm(p, path, x):
    return F.layer_norm(x, x.shape[-1:], p[f"{path}.weight"], p[f"{path}.bias"])


def linear(p, path, x):
    return F.linear(x, p[f"{path}.weight"], p[f"{path}.bias"])


def vit_encode(p, x):
    x, block = norm(p, "image.pre_norm", x), "image.blocks.0"
    q, k, v = (part.unflatten(2, (2, 4)).transpose(1, 2) for part in
               linear(p, f"{block}.attention.qkv", norm(p, f"{block}.attention_norm", x)).chunk(3, 2))
    attended = torch.softmax(q @ k.transpose(2, 3) / 2, 3) @ v
    x = x + linear(p, f"{block}.attention.out", attended.transpose(1, 2).flatten(2))
    x = x + linear(p, f"{block}.mlp.down", F.gelu(linear(p, f"{block}.mlp.up", norm(p, f"{block}.mlp_norm", x))))
    return norm(p, "image.norm", x)


def masked(p, t, state, data, step, order):
    """Zhou et al. 2022, equation 2: the teacher's shares at the hidden patches; five of sixteen are hidden."""
    hidden = torch.zeros(ROWS, 16, dtype=torch.bool)
    for row in range(ROWS):
        hidden[row, sorted(range(16), key=lambda i: order[row][i])[:5]] = True
    path = "objective.head.student"
    said = prototype_logits(t, path, vit_encode(t, vit_embed(t, data["large"]))[:, 1:][hidden])
    seen = vit_encode(p, vit_embed(p, data["large"], hidden))[:, 1:][hidden]
    targets, advance = centred_targets(state, said, step)
    log_shares = torch.log_softmax(prototype_logits(p, path, seen, step == 0) / 0.3, 1)
    return -(targets * log_shares).sum(1).mean(), advance


def masked_block(p, t, state, data, step):
    """The block: rectangles of an aspect between 0.3 and 1 / 0.3 around a point grow until enough is hidden."""
    torch.manual_seed(SEED + step)
    order = []
    for y, x, form in torch.rand(ROWS, 3).tolist():
        stretch = (1 / 0.3) ** (form - 0.5)
        order.append([max(abs(i // 4 + 0.5 - 4 * y) * stretch, abs(i % 4 + 0.5 - 4 * x) / stretch) for i in range(16)])
    return masked(p, t, state, data, step, order)


def masked_random(p, t, state, data, step):
    torch.manual_seed(SEED + step)
    return masked(p, t, state, data, step, torch.rand(ROWS, 16).tolist())


def main():
    generator = torch.Generator().manual_seed(6)

    def normal(*shape, std=1.0):
        return std * torch.randn(*shape, generator=generator)

    def bytes_of(count, size):
        return torch.randint(256, (count, 3, size, size), generator=generator, dtype=torch.uint8)

    def layers(path, *widths):
        made = {}
        for i, (width, wider) in enumerate(zip(widths, widths[1:])):
            if i > 0:
                made |= {f"{path}.norm{i}.weight": normal(width), f"{path}.norm{i}.bias": normal(width)}
            made |= {f"{path}.linear{i}.weight": normal(wider, width, std=0.5), f"{path}.linear{i}.bias": normal(wider)}
        return made

    def prototypes(width):
        return layers("head.student.projection", width, 6, 6, 4) | {"head.student.prototypes": normal(7, 4)}

    data = {"pictures": bytes_of(2 * ROWS, 8), "small": bytes_of(2 * ROWS, 4), "large": bytes_of(ROWS, 16),
            "ids": torch.tensor([5, 6, 7, 7])}
    tiny = {"image.kernel": normal(12, 3, 4, 4, std=0.3), "image.mix": normal(12, 12, std=0.4)}
    vit = {"image.patches.weight": normal(8, 48, std=0.2), "image.class_token": normal(8), "image.positions": normal(17, 8)}
    for path in ("pre_norm", "blocks.0.attention_norm", "blocks.0.mlp_norm", "norm"):
        vit |= {f"image.{path}.weight": 1 + normal(8, std=0.2), f"image.{path}.bias": normal(8, std=0.2)}
    for path, out in (("attention.qkv", 24), ("attention.out", 8), ("mlp.up", 8), ("mlp.down", 8)):
        vit |= {f"image.blocks.0.{path}.weight": normal(out, 8, std=0.4), f"image.blocks.0.{path}.bias": normal(out, std=0.2)}
    head = layers("head", 12, 6, 5)
    predicting = head | layers("predictor", 5, 6, 5)
    queue = {"queue.keys": torch.zeros(8, 5), "queue.ids": torch.zeros(8, dtype=torch.long), "queue.pushed": torch.tensor(4)}
    queue["queue.keys"][:4], queue["queue.ids"][:4] = unit(normal(4, 5)), torch.tensor([6, 9, 10, 11])
    centre = {"head.centre": normal(7, std=0.2)}
    mask_token = {"mask_token": normal(8)}
    patch_head = prototypes(8)
    cases = ((moco, tiny, head, queue, (0.8, 0.8), STEPS), (moco_in_batch, tiny, head, {}, (0.8, 0.8), 1),
             (byol, tiny, predicting, {}, (0.7, 1), STEPS), (byol_plain, tiny, predicting, {}, (0.7, 1), 1),
             (self_distillation, tiny, prototypes(12), centre, (0.7, 1), STEPS),
             (masked_block, vit, patch_head | mask_token, centre, (0.7, 1), STEPS),
             (masked_random, vit, patch_head | mask_token, centre, (0.7, 1), 1))

    out = {f"batch/{k}": v for k, v in data.items()} | {f"tiny/{k}": v for k, v in tiny.items()}
    out |= {f"vit/{k}": v for k, v in vit.items()}
    for objective, tower, heads, buffers, (start, end), kept_steps in cases:
        name = objective.__name__
        p = {k: v.double() for k, v in (tower | {f"objective.{k}": v for k, v in heads.items()}).items()}
        t = {k: v for k, v in p.items() if k.startswith(("image.", "objective.head."))}
        state = {k: v.double() if v.is_floating_point() else v.clone() for k, v in buffers.items()}

        def keep(where):
            """Twins by duet's names: head.X follows as twin.X, head.student.X as head.teacher.X."""
            for k, v in t.items():
                if k.startswith("objective.head.student"):
                    out[f"{where}/{k.replace('student', 'teacher')}"] = v.float()
                elif k.startswith("objective"):
                    out[f"{where}/{k.replace('head', 'twin', 1)}"] = v.float()
                elif where.endswith("after"):
                    out[f"{where}/0.{k}"] = v.float()
            for k, v in state.items():
                out[f"{where}/objective.{k}"] = v.float() if v.is_floating_point() else v.clone()

        for k, v in heads.items():
            out[f"{name}/start/objective.{k}"] = v
        keep(f"{name}/start")
        for step in range(kept_steps):
            leaves = {k: v.clone().requires_grad_() for k, v in p.items()}
            loss, advance = objective(leaves, t, state, data, step)
            loss.backward()
            out[f"{name}/{step}/loss"] = loss.detach().float()
            with torch.no_grad():
                for k, leaf in leaves.items():
                    if leaf.grad is not None:
                        out[f"{name}/{step}/gradient/{k}"] = leaf.grad.float()
                        p[k] = p[k] - RATE * leaf.grad
                share = follow_share(start, end, step)
                t = {k: share * v + (1 - share) * p[k] for k, v in t.items()}
                advance()
            if kept_steps > 1:
                keep(f"{name}/{step}/after")
    save_file({k: v.clone().contiguous() for k, v in out.items()}, HERE / "teacher_objectives.safetensors")


if __name__ == "__main__":
    main()
