// index, search and embed.
#include <limits>
#include <memory>

#include "cli/grammar.h"
#include "core/error.h"
#include "core/format.h"
#include "text/unicode.h"

namespace duet {

namespace {

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

std::string check_array_file(const std::string& text) {
  if (text.ends_with(".npy") || text.ends_with(".safetensors")) return {};
  return cat("'", text, "' ends in neither .npy nor .safetensors");
}

}  // namespace

void add_index(Grammar& grammar) {
  const auto options = std::make_shared<IndexOptions>();
  CLI::App& app = add_command(
      grammar.app, grammar, "index", "Search", "embed pictures and write a bundle that duet search asks",
      {{"a folder of pictures, no captions needed",
        "duet index runs/quickstart --images ~/Pictures --out photos.bundle"},
       {"a manifest: captions and other columns come along", "duet index runs/quickstart --images photos.csv"},
       {"choose the index yourself", "duet index runs/quickstart --images photos.csv --factory HNSW32"}});
  add_value(app, "RUN", options->run, "RUN", "the folder that duet train wrote")->required();
  add_value(app, "--images", options->images, "PATH", "a folder of pictures, or a .csv or .tsv manifest")
      ->required();
  add_value(app, "--out", options->out, "DIR", "the bundle's folder (default: RUN/index)");
  add_value(app, "--factory", options->factory, "TEXT",
            "FAISS index: Flat, IVFn,Flat, IVFn,SQ8, IVFn,PQm, HNSWm or HNSWm,SQ8 (default: by the number of "
            "pictures)");
  add_checkpoint(app, options->checkpoint);
  add_root(app, options->root);
  add_batch(app, options->batch);
  add_max_bad_fraction(app, options->max_bad_fraction);
  add_device(app, options->device);
  app.callback([&grammar, options] { grammar.command = *options; });
}

void add_search(Grammar& grammar) {
  struct Search : SearchOptions {
    std::vector<std::string> words;
  };
  const auto options = std::make_shared<Search>();
  CLI::App& app =
      add_command(grammar.app, grammar, "search", "Search", "find pictures by text, or by a picture",
                  {{"the ten best pictures of the newest bundle", "duet search \"a red heart\""},
                   {"a page to look at", "duet search \"a red heart\" -k 50 --html hearts.html"},
                   {"pictures like this one", "duet search --image photo.jpg -b photos.bundle"},
                   {"paths alone, for another program", "duet search sunset | cut -f3"}});
  CLI::Option* query = app.add_option("QUERY", options->words, "what to look for; several words are one query");
  query->type_name("TEXT");
  CLI::Option* image = add_value(app, "--image", options->image, "FILE", "look for pictures like this one");
  add_value(
      app, "-b,--bundle", options->bundle, "BUNDLE",
      "where to look: a bundle, or a run that holds one (default: $DUET_BUNDLE, else the newest runs/*/index)");
  add_integer(app, "-k", options->k, 1, std::numeric_limits<std::int32_t>::max(), "how many pictures");
  add_switch(app, "--json", options->json, "print one JSON object");
  add_value(app, "--html", options->html, "FILE", "also write a page with the pictures");
  add_value(app, "--root", options->root, "DIR",
            "where the pictures are now (default: where they were indexed)");
  app.callback([&grammar, &app, options, query, image] {
    require_one_of(app, {query, image});
    options->query = joined(options->words, " ");
    if (query->count() > 0 && is_blank(options->query)) {
      fail(Exit::usage, "duet search", "the query is empty", "say, duet search \"a red heart\"");
    }
    if (invalid_utf8(options->query)) {
      fail(Exit::usage, "duet search", "the query is no UTF-8", "convert it, or set the terminal to UTF-8");
    }
    grammar.command = static_cast<const SearchOptions&>(*options);
  });
}

void add_embed(Grammar& grammar) {
  const auto options = std::make_shared<EmbedOptions>();
  CLI::App& app = add_command(
      grammar.app, grammar, "embed", "Search", "write the embeddings of pictures or texts to a file",
      {{"pictures of a folder, a row each, for NumPy",
        "duet embed runs/quickstart --images ~/Pictures --out pictures.npy"},
       {"texts, one a line", "duet embed runs/quickstart --texts queries.txt --out queries.safetensors"}});
  add_value(app, "RUN", options->run, "RUN", "the folder that duet train wrote")->required();
  CLI::Option* images =
      add_value(app, "--images", options->images, "PATH", "a folder of pictures, or a .csv or .tsv manifest");
  CLI::Option* texts = add_value(app, "--texts", options->texts, "FILE", "a text a line; - is standard input");
  add_value(
      app, "--out", options->out, "FILE",
      "X.npy or X.safetensors: float32 unit vectors, a row each (NaN for a picture that cannot be read); a "
      "folder's pictures come in the order of their paths, a manifest's in that of its rows, each once")
      ->required()
      ->check(check_array_file);
  add_switch(app, "--features", options->features,
             "what the tower makes, before any embedding space: for a probe; all there is of one tower alone");
  add_checkpoint(app, options->checkpoint);
  add_root(app, options->root);
  add_batch(app, options->batch);
  add_max_bad_fraction(app, options->max_bad_fraction);
  add_device(app, options->device);
  add_threads(app, options->threads, "compute threads");
  app.callback([&grammar, &app, options, images, texts] {
    require_one_of(app, {images, texts});
    grammar.command = *options;
  });
}

}  // namespace duet
