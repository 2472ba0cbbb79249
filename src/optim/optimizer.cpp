#include "optim/optimizer.h"

namespace duet {

OptimizerOptions read_optimizer(Config& train) {
  OptimizerOptions o;
  o.adamw.lr = train.number("lr", o.adamw.lr, {0, 10});
  o.adamw.weight_decay = train.number("weight_decay", o.adamw.weight_decay, {0, 10});
  const auto betas = train.numbers("betas", {o.adamw.beta1, o.adamw.beta2}, {0, 0.999999});
  if (betas.size() != 2) train.fail("betas", "'betas' needs two numbers", "write betas = [0.9, 0.98], say");
  o.adamw.beta1 = betas[0];
  o.adamw.beta2 = betas[1];
  o.adamw.eps = train.number("eps", o.adamw.eps, {1e-12, 1});
  o.schedule.kind = train.choice("schedule", o.schedule.kind, {"cosine", "linear", "constant"});
  o.schedule.warmup = train.number("warmup", o.schedule.warmup, {0, 1e9});
  o.schedule.lr_end = train.number("lr_end", o.schedule.lr_end, {0, 1});
  o.clip = train.number("clip", o.clip, {0, 1e6});
  o.ema = train.number("ema", o.ema, {0, 0.999999});
  o.groups = read_groups(train);
  return o;
}

}  // namespace duet
