// data check.
#include <memory>

#include "cli/grammar.h"

namespace duet {

void add_data(Grammar& grammar) {
  const auto options = std::make_shared<DataCheckOptions>();
  CLI::App& family = add_family(grammar.app, grammar, "data", "Data and text",
                                "look at pictures and captions before training");
  CLI::App& app =
      add_command(family, grammar, "check", "Commands",
                  "count pairs; name missing, unreadable and duplicate pictures, empty and over-long captions",
                  {{"a table of paths and captions", "duet data check photos.csv"},
                   {"every finding, for a script", "duet data check photos.csv --json > findings.json"}});
  add_value(app, "MANIFEST", options->manifest, "PATH",
            "a .csv or .tsv manifest, a folder of pictures, or a text (.txt)")
      ->required();
  add_list(app, "--captions", options->captions, "COLUMN",
           "caption columns, repeated or with commas (default: found by name)")
      ->delimiter(',');
  add_root(app, options->root);
  add_switch(app, "--json", options->json, "print one JSON object with every finding");
  add_threads(app, options->threads, "pictures read at a time");
  app.callback([&grammar, options] { grammar.command = *options; });
}

}  // namespace duet
