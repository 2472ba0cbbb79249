// What a run is fed with: the pairs, and unpaired sources beside them. A step sees one source; which one, and
// which rows and views of it, is a function of the recipe and the step alone.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "datasets/loader.h"
#include "losses/objective.h"
#include "run/recipe.h"
#include "training/sampler.h"
#include "training/training_data.h"

namespace duet {

struct Turn {
  std::size_t source = 0;
  std::int64_t step = 0;  // among the source's own
};
// Who is next in each of `steps` steps, by shares as evenly as they allow; sources that are not `allowed` at a
// step wait. Some source must be allowed at each.
std::vector<Turn> take_turns(const std::vector<double>& shares, std::int64_t steps,
                             const std::function<bool(std::size_t source, std::int64_t step)>& allowed);

class Feed {
 public:
  // The data outlives this object. `tokenizer` null: no texts.
  Feed(const Recipe& recipe, const TrainingData& data, const Tokenizer* tokenizer);

  // For a run of so many steps.
  void plan(const Recipe& recipe, std::int64_t steps);
  const Turn& turn(std::int64_t step) const { return turns_.at(static_cast<std::size_t>(step)); }
  std::int64_t steps_per_epoch() const;  // of the pairs

  void start(std::int64_t first_step, std::int64_t end_step);
  Batch next();
  void stop();  // the loaders' threads
  void tell_bad_pictures() const;

 private:
  // Steps of a source in which the same views are drawn: what no objective looks at costs nothing.
  struct Part {
    std::int64_t end = 0;
    std::vector<ViewSpec> views;
    bool follows = false;
  };
  struct Stream {
    const Source* source;
    std::unique_ptr<Sampler> sampler;
    std::shared_ptr<PixelCache> cache;
    std::vector<Part> parts;
    std::unique_ptr<Loader> loader;
    std::int64_t loader_end = 0;
    std::vector<std::string> bad = {};  // of loaders that are done
  };
  std::unique_ptr<Loader> make_loader(Stream& stream, std::int64_t first);

  Recipe recipe_;
  const Tokenizer* tokenizer_;
  std::vector<Stream> streams_;
  std::vector<double> shares_;
  std::vector<Turn> turns_;
  std::int64_t step_ = 0;
  std::vector<std::int64_t> ends_;  // of each source in the steps at hand
};

}  // namespace duet
