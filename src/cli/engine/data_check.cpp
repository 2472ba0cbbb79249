#include <iostream>
#include <thread>

#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "cli/json_text.h"
#include "core/error.h"
#include "core/format.h"
#include "datasets/source.h"

namespace duet {
namespace {

constexpr std::int64_t kLongCaption = 1000;  // bytes: far beyond any context

nlohmann::json to_json(const SourceReport& report) {
  return {{"schema_version", 1},
          {"rows", report.rows},
          {"pictures", report.pictures},
          {"captions", report.captions},
          {"concepts", report.concepts},
          {"missing", report.missing},
          {"unreadable", report.unreadable},
          {"duplicate_pictures", report.duplicate_pictures},
          {"empty_captions", report.empty_captions},
          {"duplicate_captions", report.duplicate_captions},
          {"long_captions", report.long_captions},
          {"sizes", report.sizes}};
}

void print_list(std::string_view title, const std::vector<std::string>& lines) {
  std::cout << title << ": " << lines.size() << "\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(20, lines.size()); ++i)
    std::cout << "  " << lines[i] << "\n";
  if (lines.size() > 20) std::cout << "  ... (--json lists all)\n";
}

void print_pictures(const SourceReport& report) {
  std::cout << "rows: " << grouped(report.rows) << "\npictures: " << grouped(report.pictures)
            << "\ncaptions: " << grouped(report.captions) << "\nconcepts: " << grouped(report.concepts) << "\n";
  print_list("missing pictures", report.missing);
  print_list("unreadable pictures", report.unreadable);
  print_list("groups of equal pictures", report.duplicate_pictures);
  std::cout << "empty captions: " << report.empty_captions
            << "\ncaptions used more than once: " << report.duplicate_captions << "\ncaptions over "
            << kLongCaption << " bytes: " << report.long_captions << "\n";
  std::cout << "picture sizes: " << report.sizes.size() << " different\n";
}

void print_text(const SourceReport& report) {
  std::cout << "sentences: " << grouped(report.captions) << "\ndocuments: " << grouped(report.concepts)
            << "\nsentences used more than once: " << report.duplicate_captions << "\nsentences over "
            << kLongCaption << " bytes: " << report.long_captions << "\n";
}

}  // namespace

int run_data_check(const DataCheckOptions& options) {
  check_for_manifests("--root", !options.root.empty(), {options.manifest});
  SourceOptions source_options{.data = options.manifest, .root = options.root};
  source_options.caption_columns = options.captions;
  const Source source = read_source(source_options, false);
  const int threads =
      options.threads > 0 ? options.threads : static_cast<int>(std::thread::hardware_concurrency());
  const SourceReport report = examine(source, kLongCaption, threads);
  if (options.json) {
    std::cout << json_text(to_json(report));
  } else if (source.has_pictures()) {
    print_pictures(report);
  } else {
    print_text(report);
  }
  const bool usable = report.missing.empty() && report.unreadable.empty() && report.empty_captions == 0;
  return static_cast<int>(usable ? Exit::ok : Exit::data);
}

}  // namespace duet
