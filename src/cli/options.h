// What each command was asked to do: plain values, filled by parse.h from the command line, run by the front or
// the engine.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace duet {

struct TrainOptions {
  std::string recipe;                 // a TOML file; "" with --data or --resume
  std::string data;                   // --data photos.csv|DIR: no recipe, one is picked by the data's size
  std::string out;                    // --out RUN; default runs/<name of recipe or data>
  std::string resume;                 // --resume RUN
  std::string init_image, init_text;  // --init-image RUN, --init-text RUN: towers to start with
  std::vector<std::string> sets;      // --set train.lr=1e-4
  std::string root;                   // --root: where relative picture paths start
  std::string device = "auto";        // auto | cpu | cuda
  int threads = 0;                    // compute threads; 0: all
};
// How a manifest tells pictures or texts with classes (datasets/labelled.h).
struct LabelOptions {
  std::string label_column = {}, concept_column = "concept";
  bool concept_given = false;  // --concept-column: then it must be there
  bool texts = false;          // texts instead of pictures
  std::string text_column = {}, second_column = {};
  std::string separator = {};  // between several labels of an item
};
struct EvaluateOptions {
  std::string run;
  std::vector<std::string> data;  // --data [NAME=]manifest, repeatable; default: the recipe's validation data
  std::vector<std::string> captions;                       // --captions COLUMN..., default: the recipe's
  std::string root, checkpoint = "best", device = "auto";  // checkpoint: best | last | step-N
  bool json = false;                                       // print JSON on stdout
  bool save = true;                                        // into RUN/results.json (--no-save)
  bool objectives = false;  // how its objectives do, against the same network untrained
  int batch = 256;
  double max_bad_fraction = -1;    // of the pictures that may be unreadable; < 0: the recipe's
  std::string task = "retrieval";  // or how it tells classes: zero_shot, ridge, fine_tune ...
  std::string train, validation;   // --train, --validation: labelled data to learn from and to choose on
  bool leave_out_shared = false;   // learned items that --data has too, instead of refusing them
  LabelOptions labels = {};
  std::string class_names, templates = "simple";  // --labels FILE and --templates, of what reads names
  std::int64_t k = 0;                             // neighbours of knn; 0: chosen
  std::int64_t epochs = 0;                        // of a tower's training; 0: by the number of items
  std::string out;                                // --save OUT: what was learned
  std::string report;                             // --report PAGE.html
  std::vector<std::string> corrupt = {};  // --corrupt KIND,...: of kCorruptionNames; "all" is replaced by them
  std::string against, against_task;      // another run, another task: compared on the same items; "": the same
  int threads = 0;
};
struct IndexOptions {
  std::string run, images, out;  // --images DIR|manifest, --out BUNDLE (default RUN/index)
  std::string root, factory, checkpoint = "best", device = "auto";
  int batch = 256;
  double max_bad_fraction = 0.5;
};
struct SearchOptions {
  std::string query;  // text; or --image
  std::string image;
  std::string bundle;  // -b, $DUET_BUNDLE, or the newest runs/*/index
  std::int64_t k = 10;
  std::string html, root;
  bool json = false;
};
struct EmbedOptions {
  std::string run, images, texts,
      out;                // --images DIR|manifest or --texts FILE (a text a line); --out X.npy|X.safetensors
  bool features = false;  // what the tower makes, before any embedding space
  std::string root, checkpoint = "best", device = "auto";
  int batch = 256, threads = 0;
  double max_bad_fraction = 0.5;
};
struct ClassifyOptions {
  std::string run;                                // a run, or a bundle
  std::string images, texts;                      // --images DIR|manifest or --texts FILE (a text a line)
  std::string class_names, templates = "simple";  // --labels FILE, told by their names; or
  std::string model;                              // --model CLASSIFIER, that fewshot or evaluate saved
  std::int64_t top = 1;                           // classes an item
  std::string calibrate;                          // labelled items that set the probabilities' scale
  std::string label_column, text_column;          // of these
  bool json = false, csv = false;                 // at most one
  std::string out;                                // "": stdout
  std::string root, checkpoint = "best", device = "auto";
  int batch = 256, threads = 0;
  double max_bad_fraction = 0.5;
};
struct FewShotOptions {
  std::string run, data, test;  // --data and --test: labelled; without --test a share of --data is kept for it
  LabelOptions labels = {};
  double test_share = 0.25;
  std::vector<std::int64_t> shots = {};           // none: 1, 2, 4, 8, 16, or those of a splits file
  std::int64_t seeds = 0;                         // 0: 10, or those of a splits file
  double validation_share = 0;                    // of the shots; 0: min(shots, 4) a class
  std::int64_t epochs = 0;                        // of a tower's training; 0: by the number of items
  std::vector<std::string> methods = {};          // none: all on frozen features; "all": those that train, too
  std::string class_names, templates = "simple";  // --labels FILE; default: the labels are the names
  std::string results;                            // "": RUN/fewshot/NAME.jsonl
  std::string splits;                             // written, or replayed when it is there
  bool leave_out_shared = false, leave_out_small = false, fallback = true;
  std::string against;             // "": zero_shot, and differences are not in the text
  std::string out;                 // --save OUT: the classifier of a single method
  std::string report, csv, latex;  // files; "": none
  bool json = false;
  std::string root, checkpoint = "best", device = "auto";
  int batch = 256, threads = 0;
  double max_bad_fraction = 0.5;
};
struct CheckOptions {
  std::string recipe;
  std::vector<std::string> sets;
};
struct AblateOptions {
  std::string plan;                                                       // a TOML file
  std::string results;                                                    // "": NAME.results.jsonl beside it
  bool dry_run = false, measure = false, table = false, confirm = false;  // at most one
  std::string csv, latex;                                                 // files; "": none
  bool keep_runs = false;
  std::string root, device = "auto";
  int threads = 0;
};
struct DataCheckOptions {
  std::string manifest, root;
  std::vector<std::string> captions;
  bool json = false;
  int threads = 0;
};
struct TokenizerTrainOptions {
  std::string texts, out;  // a text file, a caption a line, or "-"; X.model
  std::string kind = "unigram";
  std::int64_t vocabulary = 4096;
  bool lowercase = true;
  bool byte_fallback = true;
};
struct TokenizerEncodeOptions {
  std::string model;               // .model file, run or bundle
  std::vector<std::string> texts;  // none: lines of stdin
  bool pieces = false;             // print pieces instead of ids
};
struct TokenizerDecodeOptions {
  std::string model;
  std::vector<std::int64_t> ids;  // none: lines of stdin
};

struct ReconstructOptions {
  std::string run, images, out;  // --images DIR|manifest, --out page.html (default RUN/reconstruct.html)
  std::string objective;         // --objective NAME; "": all that show pictures
  std::int64_t count = 16, seed = 1;
  std::string root, checkpoint = "best", device = "auto";
  bool json = false;
};
struct FillOptions {
  std::string run, text, objective;
  std::int64_t top = 5;
  std::string checkpoint = "best", device = "auto";
  bool json = false;
};
struct CompleteOptions {
  std::string run, text, objective;
  std::int64_t length = 16, top_k = 0, seed = 1;
  double temperature = 0;  // 0: always the likeliest piece
  std::string checkpoint = "best", device = "auto";
  bool json = false;
};
struct FollowsOptions {
  std::string run, first, second, objective;
  std::string pairs;  // a file of lines FIRST TAB SECOND instead; "-": standard input
  std::string checkpoint = "best", device = "auto";
  bool json = false;
};
inline constexpr const char* kTextTower = "tower";
struct NeighboursOptions {
  std::string run = {}, query = {};  // "king - man + woman"; "" with --export alone
  std::string of = {};               // an objective with word vectors, or kTextTower; "": what there is
  std::string out = {};              // --export FILE
  std::int64_t top = 10;
  std::string checkpoint = "best";  // of the text tower
  bool json = false;
};

using Command =
    std::variant<TrainOptions, EvaluateOptions, IndexOptions, SearchOptions, EmbedOptions, ClassifyOptions,
                 FewShotOptions, CheckOptions, AblateOptions, DataCheckOptions, ReconstructOptions, FillOptions,
                 CompleteOptions, FollowsOptions, NeighboursOptions, TokenizerTrainOptions,
                 TokenizerEncodeOptions, TokenizerDecodeOptions>;

}  // namespace duet
