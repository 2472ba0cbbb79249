// tokenizer train, encode and decode.
#include <memory>

#include "cli/grammar.h"

namespace duet {

namespace {

constexpr const char* kModel = "a .model file, a run or a bundle";

void add_tokenizer_train(CLI::App& family, Grammar& grammar) {
  const auto options = std::make_shared<TokenizerTrainOptions>();
  CLI::App& app = add_command(family, grammar, "train", "Commands", "make a SentencePiece model from captions",
                              {{"a caption a line", "duet tokenizer train captions.txt --out words.model"},
                               {"the captions of a manifest's second column",
                                "cut -f2 photos.tsv | duet tokenizer train - --out words.model --kind bpe"}});
  add_value(app, "TEXTS", options->texts, "FILE", "a text file, a caption a line; - is standard input")
      ->required();
  add_value(app, "--out", options->out, "FILE", "the .model file to write")->required();
  add_choice(app, "--kind", options->kind, {"unigram", "bpe"}, "how pieces are chosen");
  add_integer(app, "--vocabulary", options->vocabulary, 16, 1000000,
              "pieces asked for; few captions allow fewer");
  add_switch_off(app, "--keep-case", options->lowercase, "tell capital letters from small ones");
  add_switch_off(app, "--no-byte-fallback", options->byte_fallback,
                 "unseen characters become <unk> instead of their bytes");
  app.callback([&grammar, options] { grammar.command = *options; });
}

void add_tokenizer_encode(CLI::App& family, Grammar& grammar) {
  const auto options = std::make_shared<TokenizerEncodeOptions>();
  CLI::App& app = add_command(
      family, grammar, "encode", "Commands", "texts to token ids, a line each",
      {{"see how a caption is cut", "duet tokenizer encode runs/quickstart --pieces \"a red heart\""},
       {"a whole file", "duet tokenizer encode words.model < captions.txt"}});
  add_value(app, "MODEL", options->model, "MODEL", kModel)->required();
  app.add_option("TEXTS", options->texts, "the texts (default: lines of standard input)")->type_name("TEXT");
  add_switch(app, "--pieces", options->pieces, "print pieces instead of ids");
  app.callback([&grammar, options] { grammar.command = *options; });
}

void add_tokenizer_decode(CLI::App& family, Grammar& grammar) {
  const auto options = std::make_shared<TokenizerDecodeOptions>();
  CLI::App& app = add_command(
      family, grammar, "decode", "Commands", "token ids back to text",
      {{"one text", "duet tokenizer decode words.model 52 918 7"},
       {"there and back", "duet tokenizer encode words.model < a.txt | duet tokenizer decode words.model"}});
  add_value(app, "MODEL", options->model, "MODEL", kModel)->required();
  app.add_option("IDS", options->ids, "the ids of one text (default: lines of standard input)")->type_name("N");
  app.callback([&grammar, options] { grammar.command = *options; });
}

}  // namespace

void add_tokenizer(Grammar& grammar) {
  CLI::App& family =
      add_family(grammar.app, grammar, "tokenizer", "Data and text", "make and use a SentencePiece vocabulary");
  add_tokenizer_train(family, grammar);
  add_tokenizer_encode(family, grammar);
  add_tokenizer_decode(family, grammar);
}

}  // namespace duet
