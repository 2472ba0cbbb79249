// reconstruct, fill, complete, follows and neighbours: what a run has learned.
#include <charconv>
#include <memory>

#include "cli/grammar.h"
#include "core/error.h"
#include "core/format.h"
#include "text/unicode.h"
#include "text/word_table.h"

namespace duet {

namespace {

constexpr const char* kGroup = "Look at what was learned";

void add_run(CLI::App& app, std::string& run) {
  add_value(app, "RUN", run, "RUN", "the folder that duet train wrote")->required();
}

void add_objective(CLI::App& app, std::string& name, const std::string& which) {
  add_value(app, "--objective", name, "NAME", cat("which objective of the run (default: ", which, ")"));
}

// --top-k alone asks for draws.
CLI::Option* add_temperature(CLI::App& app, double& value) {
  return app
      .add_option("--temperature", value,
                  "draw: 1 as likely as the model says, lower is tamer, higher bolder (default: 0, always the "
                  "likeliest piece; 1 with --top-k)")
      ->type_name("NUMBER")
      ->take_last()
      ->check([](const std::string& text) -> std::string {
        double number = -1;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error == std::errc() && end == text.data() + text.size() && number >= 0 && number <= 100) return {};
        return cat("'", text, "' is no temperature; 0 to 100 allowed");
      });
}

void check_utf8(const std::string& text, const std::string& command) {
  if (invalid_utf8(text))
    fail(Exit::usage, command, "the text is no UTF-8", "convert it, or set the terminal to UTF-8");
}

void add_reconstruct(Grammar& grammar) {
  const auto options = std::make_shared<ReconstructOptions>();
  CLI::App& app = add_command(
      grammar.app, grammar, "reconstruct", kGroup,
      "a page of what picture objectives make of your pictures: hidden parts told, tiles put back, turns found",
      {{"sixteen pictures of a folder, on a page in the run's folder",
        "duet reconstruct runs/pretrain --images ~/Pictures"},
       {"numbers over more of them, for a script",
        "duet reconstruct runs/pretrain --images photos.csv --count 500 --json"}});
  add_run(app, options->run);
  add_value(app, "--images", options->images, "PATH", "a folder of pictures, or a .csv or .tsv manifest")
      ->required();
  add_value(app, "--out", options->out, "FILE", "the page (default: RUN/reconstruct.html)");
  add_integer(app, "--count", options->count, 1, 1000, "how many pictures, drawn by the seed");
  add_integer(app, "--seed", options->seed, 0, 1'000'000'000, "which pictures, and what is hidden in them");
  add_objective(app, options->objective, "all that show pictures");
  add_switch(app, "--json", options->json, "print one JSON object");
  add_checkpoint(app, options->checkpoint);
  add_root(app, options->root);
  add_device(app, options->device);
  app.callback([&grammar, options] { grammar.command = *options; });
}

void add_fill(Grammar& grammar) {
  const auto options = std::make_shared<FillOptions>();
  CLI::App& app = add_command(
      grammar.app, grammar, "fill", kGroup, "what a masked language model puts where a text says [MASK]",
      {{"five pieces that may stand there", "duet fill runs/mlm \"a [MASK] heart\""},
       {"two gaps, three pieces each", "duet fill runs/mlm \"a [MASK] [MASK]\" --top 3"}});
  add_run(app, options->run);
  add_value(app, "TEXT", options->text, "TEXT", "a text with [MASK] for each piece to fill in, in quotes")
      ->required();
  add_integer(app, "--top", options->top, 1, 1000, "how many pieces for each gap");
  add_objective(app, options->objective, "the first masked_lm");
  add_switch(app, "--json", options->json, "print one JSON object");
  add_checkpoint(app, options->checkpoint);
  add_device(app, options->device);
  app.callback([&grammar, options] {
    check_utf8(options->text, "duet fill");
    grammar.command = *options;
  });
}

void add_complete(Grammar& grammar) {
  const auto options = std::make_shared<CompleteOptions>();
  CLI::App& app =
      add_command(grammar.app, grammar, "complete", kGroup,
                  "how a text goes on, told piece by piece by an autoregressive language model",
                  {{"the likeliest piece each time", "duet complete runs/lm \"a red\""},
                   {"drawn among the ten likeliest", "duet complete runs/lm \"a red\" --top-k 10 --seed 7"}});
  add_run(app, options->run);
  add_value(app, "TEXT", options->text, "TEXT", "how the text begins, in quotes")->required();
  add_integer(app, "--length", options->length, 1, 100'000, "most pieces to add");
  CLI::Option* top_k = add_integer(app, "--top-k", options->top_k, 0, 1'000'000,
                                   "draw among this many of the likeliest pieces; 0: among all");
  CLI::Option* temperature = add_temperature(app, options->temperature);
  add_integer(app, "--seed", options->seed, 0, 1'000'000'000, "another seed, another draw");
  add_objective(app, options->objective, "the first autoregressive_lm");
  add_switch(app, "--json", options->json, "print one JSON object");
  add_checkpoint(app, options->checkpoint);
  add_device(app, options->device);
  app.callback([&grammar, options, top_k, temperature] {
    check_utf8(options->text, "duet complete");
    if (top_k->count() > 0 && temperature->count() == 0) options->temperature = 1;
    grammar.command = *options;
  });
}

void add_follows(Grammar& grammar) {
  const auto options = std::make_shared<FollowsOptions>();
  CLI::App& app = add_command(
      grammar.app, grammar, "follows", kGroup,
      "how likely one sentence is what comes after another (next_sentence)",
      {{"a probability", "duet follows runs/sentences \"It rained all day.\" \"The streets were wet.\""},
       {"the other way round", "duet follows runs/sentences \"The streets were wet.\" \"It rained all day.\""},
       {"many at once: lines of two texts with a TAB between them",
        "duet follows runs/sentences --pairs pairs.tsv"}});
  add_run(app, options->run);
  CLI::Option* first = add_value(app, "FIRST", options->first, "TEXT", "a sentence");
  CLI::Option* second = add_value(app, "SECOND", options->second, "TEXT", "does it come next?");
  CLI::Option* pairs = add_value(app, "--pairs", options->pairs, "FILE",
                                 "lines of two texts with a TAB between them; -: standard input");
  add_objective(app, options->objective, "the first next_sentence");
  add_switch(app, "--json", options->json, "print one JSON object");
  add_checkpoint(app, options->checkpoint);
  add_device(app, options->device);
  app.callback([&grammar, &app, options, first, second, pairs] {
    require_one_of(app, {first, pairs});
    if (first->count() > 0 && second->count() == 0)
      fail(Exit::usage, "duet follows", "SECOND is missing", "usage: " + usage_of(app));
    check_utf8(options->first + options->second, "duet follows");
    grammar.command = *options;
  });
}

void add_neighbours(Grammar& grammar) {
  struct Neighbours : NeighboursOptions {
    std::vector<std::string> words;
  };
  const auto options = std::make_shared<Neighbours>();
  CLI::App& app =
      add_command(grammar.app, grammar, "neighbours", kGroup,
                  "words whose vectors are near a word's, or near a sum of words",
                  {{"the ten nearest", "duet neighbours runs/words heart"},
                   {"king is to man as what is to woman?", "duet neighbours runs/words king - man + woman"},
                   {"all vectors, for gensim and its like", "duet neighbours runs/words --export words.txt"}});
  add_value(app, "RUN", options->run, "PATH",
            "the folder that duet train wrote, or a file in word2vec's text format")
      ->required();
  CLI::Option* words = app.add_option("WORD", options->words, "a word, or words with + and - between them");
  words->type_name("TEXT");
  add_integer(app, "--top", options->top, 1, 1'000'000, "how many words");
  CLI::Option* out =
      add_value(app, "--export", options->out, "FILE", "write all vectors, in word2vec's text format");
  add_value(app, "--of", options->of, "NAME",
            "an objective that trained word vectors, or tower: the text tower's own tokens (default: the first "
            "such objective, else tower)");
  add_switch(app, "--json", options->json, "print one JSON object");
  add_checkpoint(app, options->checkpoint);
  app.callback([&grammar, &app, options, words, out] {
    if (words->count() == 0 && out->count() == 0)
      fail(Exit::usage, command_line_of(app), "there is nothing to work on", "give WORD or --export");
    options->query = joined(options->words, " ");
    check_utf8(options->query, command_line_of(app));
    if (words->count() > 0) read_sum(options->query);  // refused before anything is read
    grammar.command = static_cast<const NeighboursOptions&>(*options);
  });
}

}  // namespace

void add_look(Grammar& grammar) {
  add_reconstruct(grammar);
  add_fill(grammar);
  add_complete(grammar);
  add_follows(grammar);
  add_neighbours(grammar);
}

}  // namespace duet
