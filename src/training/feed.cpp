#include "training/feed.h"

#include <algorithm>

#include "core/format.h"
#include "core/log.h"
#include "core/random.h"
#include "evaluation/embed.h"

namespace duet {
namespace {

std::vector<std::int64_t> concepts_of(const Source& source) {
  std::vector<std::int64_t> ids(source.pairs.size());
  for (std::size_t row = 0; row < ids.size(); ++row)
    ids[row] = source.concept_id(static_cast<std::int64_t>(row));
  return ids;
}

bool same_views(const std::vector<ViewSpec>& a, const std::vector<ViewSpec>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ViewSpec& x, const ViewSpec& y) { return x.name == y.name; });
}

}  // namespace

// Every allowed source earns its share of a step, and the one that has earned most takes it.
std::vector<Turn> take_turns(const std::vector<double>& shares, std::int64_t steps,
                             const std::function<bool(std::size_t, std::int64_t)>& allowed) {
  std::vector<Turn> turns;
  std::vector<double> earned(shares.size());
  std::vector<std::int64_t> taken(shares.size());
  for (std::int64_t step = 0; step < steps; ++step) {
    double sum = 0;
    std::vector<std::size_t> present;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      if (!allowed(i, step)) continue;
      present.push_back(i);
      sum += shares[i];
    }
    TORCH_CHECK(!present.empty(), "no source may be seen at step ", step);
    for (const std::size_t i : present) earned[i] += shares[i] / sum;
    const std::size_t next = *std::max_element(
        present.begin(), present.end(), [&](std::size_t a, std::size_t b) { return earned[a] < earned[b]; });
    earned[next] -= 1;
    turns.push_back({next, taken[next]++});
  }
  return turns;
}

Feed::Feed(const Recipe& recipe, const TrainingData& data, const Tokenizer* tokenizer)
    : recipe_(recipe), tokenizer_(tokenizer) {
  const auto add = [&](const Source& source, double share, std::uint64_t seed) {
    Stream stream{.source = &source, .sampler = {}, .cache = {}, .parts = {}, .loader = {}};
    stream.sampler =
        std::make_unique<Sampler>(concepts_of(source), recipe.train.batch, recipe.train.per_concept, seed);
    if (recipe.model.image && source.has_pictures())
      stream.cache = make_pixel_cache(source, recipe.preprocessing, recipe.data.loader);
    streams_.push_back(std::move(stream));
    shares_.push_back(share);
  };
  add(data.train, pairs_share(recipe.data), recipe.seed);
  for (std::size_t i = 0; i < data.beside.size(); ++i)
    add(data.beside[i], recipe.data.beside[i].share, seed_of(recipe.seed, data.beside[i].name));
}

std::int64_t Feed::steps_per_epoch() const { return streams_.front().sampler->steps_per_epoch(); }

void Feed::plan(const Recipe& recipe, std::int64_t steps) {
  recipe_ = recipe;
  const auto is_seen = [&](std::size_t objective, std::size_t source, std::int64_t step) {
    const ObjectiveSpec& spec = recipe.objectives[objective];
    return spec.source == streams_[source].source->name && spec.weight({.step = step, .steps = steps}) > 0;
  };
  turns_ = take_turns(shares_, steps, [&](std::size_t source, std::int64_t step) {
    for (std::size_t i = 0; i < recipe.objectives.size(); ++i)
      if (is_seen(i, source, step)) return true;
    return false;
  });
  for (Stream& stream : streams_) stream.parts.clear();
  for (std::int64_t step = 0; step < steps; ++step) {
    const Turn& now = turn(step);
    Part part{.end = now.step + 1, .views = {}, .follows = false};
    for (const ViewSpec& view : recipe.views) {
      for (std::size_t i = 0; i < recipe.objectives.size(); ++i) {
        const auto& wanted = recipe.objectives[i].needs.views;
        if (std::find(wanted.begin(), wanted.end(), view.name) == wanted.end() || !is_seen(i, now.source, step))
          continue;
        part.views.push_back(view);
        break;
      }
    }
    for (std::size_t i = 0; i < recipe.objectives.size(); ++i)
      part.follows |= recipe.objectives[i].needs.follows && is_seen(i, now.source, step);
    auto& parts = streams_[now.source].parts;
    if (!parts.empty() && same_views(parts.back().views, part.views) && parts.back().follows == part.follows) {
      parts.back().end = part.end;
    } else {
      parts.push_back(std::move(part));
    }
  }
}

void Feed::start(std::int64_t first_step, std::int64_t end_step) {
  stop();
  step_ = first_step;
  ends_.assign(streams_.size(), 0);
  for (std::int64_t step = first_step; step < end_step; ++step) ends_[turn(step).source] = turn(step).step + 1;
}

std::unique_ptr<Loader> Feed::make_loader(Stream& stream, std::int64_t first) {
  const auto part = std::find_if(stream.parts.begin(), stream.parts.end(),
                                 [first](const Part& one) { return first < one.end; });
  stream.loader_end = std::min(part->end, ends_[static_cast<std::size_t>(&stream - streams_.data())]);
  LoaderOptions options = recipe_.data.loader;
  if (stream.source != streams_.front().source) options.seed = seed_of(options.seed, stream.source->name);
  const LoaderSetting setting{.source = stream.source,
                              .tokenizer = tokenizer_,
                              .text_format = recipe_.model.text.format,
                              .captions = recipe_.data.captions,
                              .views = part->views,
                              .preprocessing = recipe_.preprocessing,
                              .cache = stream.cache,
                              .follows = part->follows};
  return std::make_unique<Loader>(
      setting, options, [sampler = stream.sampler.get()](std::int64_t step) { return sampler->rows(step); },
      first, stream.loader_end);
}

Batch Feed::next() {
  const Turn now = turn(step_++);
  Stream& stream = streams_[now.source];
  if (!stream.loader || now.step >= stream.loader_end) {
    if (stream.loader) {
      const auto bad = stream.loader->bad_pictures();
      stream.bad.insert(stream.bad.end(), bad.begin(), bad.end());
    }
    stream.loader = make_loader(stream, now.step);
  }
  return stream.loader->next();
}

void Feed::stop() {
  for (Stream& stream : streams_) stream.loader.reset();
}

void Feed::tell_bad_pictures() const {
  for (const Stream& stream : streams_) {
    std::vector<std::string> bad = stream.bad;
    if (stream.loader) {
      const auto now = stream.loader->bad_pictures();
      bad.insert(bad.end(), now.begin(), now.end());
    }
    std::sort(bad.begin(), bad.end());
    bad.erase(std::unique(bad.begin(), bad.end()), bad.end());
    if (!bad.empty()) log_warning(bad_picture_list(bad, stream.source->pairs.size(), "left out of training"));
  }
}

}  // namespace duet
