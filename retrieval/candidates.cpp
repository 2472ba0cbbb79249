#include "retrieval/candidates.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/io.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <faiss/invlists/OnDiskInvertedLists.h>
#include <omp.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <fstream>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

constexpr auto kMetric = faiss::METRIC_INNER_PRODUCT;
constexpr std::int64_t kRowsPerCentroid = 39;      // what FAISS's k-means asks for
constexpr std::int64_t kMostRowsPerCentroid = 64;  // more do not help and take minutes
constexpr std::int64_t kPqCentroids = 256;         // a part of a PQ code is a byte
constexpr int kBuildWidth = 40, kSearchWidth = 128;

[[noreturn]] void refuse_factory(std::string_view text, std::string_view what) {
  fail(Exit::usage, cat("index factory '", text, "'"), what,
       "allowed: Flat, IVFn,Flat, IVFn,SQ8, IVFn,PQm, HNSWm, HNSWm,SQ8 with numbers for n and m, "
       "or none: then the size decides");
}

// "IVF64" after "IVF" is 64; -1 for any other text.
std::int64_t number_after(std::string_view prefix, std::string_view text) {
  std::int64_t number = -1;
  if (!text.starts_with(prefix)) return -1;
  const char *first = text.data() + prefix.size(), *last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, number);
  return error == std::errc() && end == last && *first != '0' ? number : -1;
}

Factory read_factory(std::string_view text) {
  const auto comma = text.find(',');
  const std::string_view head = text.substr(0, comma);
  const std::string_view tail = comma == std::string_view::npos ? "" : text.substr(comma + 1);
  const bool alone = comma == std::string_view::npos;
  Factory factory;
  if (text == "Flat") return factory;
  factory.lists = number_after("IVF", head);
  factory.neighbours = number_after("HNSW", head);
  factory.parts = number_after("PQ", tail);
  factory.kind = factory.lists > 0 ? Factory::Kind::ivf : Factory::Kind::hnsw;
  factory.code = tail == "SQ8"       ? Factory::Code::sq8
                 : factory.parts > 0 ? Factory::Code::pq
                                     : Factory::Code::full;
  const bool ivf = factory.lists > 0 && (tail == "Flat" || tail == "SQ8" || factory.parts > 0);
  const bool hnsw = factory.neighbours > 0 && (alone || tail == "SQ8");
  if (!ivf && !hnsw) refuse_factory(text, "is not known");
  return factory;
}

// FAISS counts whatever it is asked to train or link in an OpenMP pool of this many threads.
class Threads {
 public:
  explicit Threads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
  ~Threads() { omp_set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// The storage that a graph of full vectors refers to: rows that lie elsewhere, in memory or mapped.
class BorrowedRows : public faiss::Index {
 public:
  BorrowedRows(const float* rows, std::int64_t count, std::int64_t dimension)
      : faiss::Index(dimension, kMetric), rows_(rows) {
    ntotal = count;
  }
  void add(std::int64_t, const float*) override { FAISS_THROW_MSG("rows are borrowed"); }
  void reset() override { FAISS_THROW_MSG("rows are borrowed"); }
  void search(std::int64_t, const float*, std::int64_t, float*, std::int64_t*,
              const faiss::SearchParameters*) const override {
    FAISS_THROW_MSG("rows are searched through their graph");
  }
  faiss::DistanceComputer* get_distance_computer() const override { return new Scores(rows_, d); }

 private:
  struct Scores : faiss::DistanceComputer {
    Scores(const float* all, std::int64_t dimension) : rows(all), dimension_(dimension) {}
    void set_query(const float* x) override { query = x; }
    float operator()(std::int64_t i) override {
      return inner_product(query, rows + i * dimension_, dimension_);
    }
    float symmetric_dis(std::int64_t i, std::int64_t j) override {
      return inner_product(rows + i * dimension_, rows + j * dimension_, dimension_);
    }
    const float* rows;
    const float* query = nullptr;
    std::int64_t dimension_;
  };
  const float* rows_;
};

void exchange_storage(faiss::IndexHNSW& graph, std::unique_ptr<faiss::Index> storage) {
  if (graph.own_fields) delete graph.storage;
  graph.storage = storage.release();
  graph.own_fields = true;
}

// IndexHNSW::add appends to its storage first; these rows are there already.
class AdoptingRows : public BorrowedRows {
 public:
  AdoptingRows(const float* rows, std::int64_t dimension) : BorrowedRows(rows, 0, dimension) {}
  void add(std::int64_t count, const float*) override { ntotal += count; }
};

std::unique_ptr<faiss::Index> build_graph(const Factory& factory, const float* rows, std::int64_t count,
                                          std::int64_t dimension) {
  const int d = static_cast<int>(dimension), links = static_cast<int>(factory.neighbours);
  std::unique_ptr<faiss::IndexHNSW> graph;
  if (factory.code == Factory::Code::sq8) {
    graph = std::make_unique<faiss::IndexHNSWSQ>(d, faiss::ScalarQuantizer::QT_8bit, links, kMetric);
    graph->train(count, rows);
  } else {
    graph = std::make_unique<faiss::IndexHNSWFlat>(d, links, kMetric);
    exchange_storage(*graph, std::make_unique<AdoptingRows>(rows, dimension));
  }
  graph->hnsw.efConstruction = kBuildWidth;
  graph->add(count, rows);
  if (factory.code == Factory::Code::full) {  // the file holds the links alone
    exchange_storage(*graph, std::make_unique<faiss::IndexFlat>(d, kMetric));
  }
  return graph;
}

std::unique_ptr<faiss::Index> build_lists(const Factory& factory, const float* rows, std::int64_t count,
                                          std::int64_t dimension) {
  const std::string code = factory.code == Factory::Code::sq8  ? "SQ8"
                           : factory.code == Factory::Code::pq ? cat("PQ", factory.parts)
                                                               : "Flat";
  std::unique_ptr<faiss::Index> index(
      faiss::index_factory(static_cast<int>(dimension), cat("IVF", factory.lists, ",", code).c_str(), kMetric));
  if (auto* lists = dynamic_cast<faiss::IndexIVF*>(index.get())) {
    lists->cp.max_points_per_centroid = static_cast<int>(kMostRowsPerCentroid);
  }
  if (auto* parts = dynamic_cast<faiss::IndexIVFPQ*>(index.get())) {
    parts->do_polysemous_training = false;  // minutes of annealing for a filter that no search here uses
  }
  index->train(count, rows);
  index->add(count, rows);
  return index;
}

// FAISS's own writer only warns when the disk is full.
class CheckedWriter : public faiss::IOWriter {
 public:
  explicit CheckedWriter(const fs::path& file) : file_(file), out_(file, std::ios::binary | std::ios::trunc) {
    check();
  }
  std::size_t operator()(const void* data, std::size_t size, std::size_t count) override {
    out_.write(static_cast<const char*>(data), static_cast<std::streamsize>(size * count));
    check();
    return count;
  }
  void close() {
    out_.close();
    check();
  }

 private:
  void check() const {
    if (!out_) fail(Exit::failed, file_.string(), "cannot be written", "is there space on the disk?");
  }
  const fs::path& file_;
  std::ofstream out_;
};

// A sixteenth of the lists, but never fewer than eight.
std::size_t lists_to_visit(std::size_t lists) {
  return std::min(lists, std::max<std::size_t>(8, (lists + 15) / 16));
}

std::unique_ptr<faiss::Index> read_faiss(const fs::path& file, const Factory& factory) {
  try {
    // Lists are mapped, not read: a query touches a few of them.
    const int flags = factory.kind == Factory::Kind::ivf ? faiss::IO_FLAG_MMAP : 0;
    return std::unique_ptr<faiss::Index>(faiss::read_index(file.c_str(), flags));
  } catch (const std::exception& error) {
    fail(Exit::artifact, file.string(), cat("is damaged: ", error.what()), "use another copy of it");
  }
}

bool prepare_graph(faiss::Index& index, const Factory& factory, const Rows& rows) {
  auto* graph = dynamic_cast<faiss::IndexHNSW*>(&index);
  if (graph == nullptr) return false;
  graph->hnsw.efSearch = kSearchWidth;
  if (factory.code == Factory::Code::full) {
    exchange_storage(*graph, std::make_unique<BorrowedRows>(rows.data(), rows.count(), rows.dimension()));
  }
  return graph->storage->ntotal == rows.count();
}

bool prepare_lists(faiss::Index& index) {
  auto* lists = dynamic_cast<faiss::IndexIVF*>(&index);
  if (lists == nullptr) return false;
  lists->nprobe = lists_to_visit(lists->nlist);
  if (auto* mapped = dynamic_cast<faiss::OnDiskInvertedLists*>(lists->invlists)) {
    mapped->prefetch_nthread = 0;  // starting threads costs more than the pages they would touch
  }
  return true;
}

}  // namespace

Factory parse_factory(std::string_view text, std::int64_t count, std::int64_t dimension) {
  const Factory factory = read_factory(text);
  if (factory.kind == Factory::Kind::hnsw && (factory.neighbours < 2 || factory.neighbours > 256)) {
    refuse_factory(text, "has m outside 2 to 256");
  }
  if (factory.code == Factory::Code::pq && dimension % factory.parts != 0) {
    refuse_factory(text, cat("has an m that does not divide the ", dimension, " numbers of a row"));
  }
  const std::int64_t centroids = std::max(factory.lists, factory.code == Factory::Code::pq ? kPqCentroids : 0);
  if (factory.kind == Factory::Kind::ivf && centroids > count / kRowsPerCentroid) {
    const std::int64_t most = count / kRowsPerCentroid;
    const bool lists_fit = factory.lists <= most && most > 0;
    refuse_factory(text, cat("needs at least ", kRowsPerCentroid, " rows for each of its ", centroids,
                             " centroids, and there are ", grouped(count), " rows: take ",
                             lists_fit  ? "SQ8 instead of PQ"
                             : most > 0 ? cat("n up to ", most)
                                        : "Flat"));
  }
  return factory;
}

std::string factory_for(std::int64_t count) {
  if (count < 200'000) return "Flat";
  if (count < 2'000'000) return "HNSW32";
  const double lists = 4 * std::sqrt(static_cast<double>(count));
  return cat("IVF", std::bit_floor(static_cast<std::uint64_t>(lists)), ",SQ8");
}

void write_candidates(const fs::path& file, const Factory& factory, std::span<const float> rows,
                      std::int64_t dimension, bool reproducible) {
  const bool graph = factory.kind == Factory::Kind::hnsw;
  const std::int64_t count = static_cast<std::int64_t>(rows.size()) / dimension;
  const Threads threads(reproducible ? 1 : omp_get_max_threads());
  try {
    const auto index = graph ? build_graph(factory, rows.data(), count, dimension)
                             : build_lists(factory, rows.data(), count, dimension);
    CheckedWriter writer(file);
    faiss::write_index(index.get(), &writer);
    writer.close();
  } catch (const faiss::FaissException& error) {
    fail(Exit::failed, file.string(), cat("cannot be built: ", error.what()));
  }
}

struct Candidates::Index {
  std::unique_ptr<faiss::Index> faiss;
};

Candidates::Candidates(const fs::path& file, const Factory& factory, const Rows& rows)
    : index_(std::make_unique<Index>(Index{read_faiss(file, factory)})) {
  faiss::Index& index = *index_->faiss;
  const bool kind_fits =
      factory.kind == Factory::Kind::hnsw ? prepare_graph(index, factory, rows) : prepare_lists(index);
  if (!kind_fits || index.ntotal != rows.count() || index.d != rows.dimension() ||
      index.metric_type != kMetric) {
    fail(Exit::artifact, file.string(), "does not belong to the rows beside it",
         "use another copy of the bundle");
  }
}

Candidates::~Candidates() = default;
Candidates::Candidates(Candidates&&) noexcept = default;

std::vector<std::int64_t> Candidates::propose(std::span<const float> query, std::int64_t count) const {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(count), -1);
  std::vector<float> scores(static_cast<std::size_t>(count));
  const Threads threads(1);  // waking a second one for a single query costs more than the search
  index_->faiss->search(1, query.data(), count, scores.data(), rows.data());
  std::erase(rows, -1);  // FAISS fills up with -1
  return rows;
}

}  // namespace duet
