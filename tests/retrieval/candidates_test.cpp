#include "retrieval/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "../support/temporary_folder.h"
#include "core/error.h"
#include "vectors.h"

namespace duet {
namespace {

constexpr std::int64_t kDimension = 32, kCount = 12'000;

class CandidatesTest : public testing::TestWithParam<std::string> {};

TEST_P(CandidatesTest, FindsNineOfTenInClusteredVectors) {
  const TemporaryFolder folder;
  const std::vector<float> rows = clustered_vectors(kCount, kDimension, 200, 1);
  const std::vector<float> queries =
      clustered_vectors(100, kDimension, 200, 1);  // same centres, same first rows
  write_rows(folder / "rows", rows);
  const Factory factory = parse_factory(GetParam(), kCount, kDimension);
  write_candidates(folder / "candidates", factory, rows, kDimension, true);
  const Rows mapped(folder / "rows", kCount, kDimension);
  const Candidates candidates(folder / "candidates", factory, mapped);
  double recall = 0;
  for (std::size_t q = 0; q < 100; ++q) {
    const std::span<const float> query(queries.data() + q * kDimension, kDimension);
    const std::vector<std::int64_t> proposed = candidates.propose(query, 4 * 10 + 64);
    EXPECT_LE(proposed.size(), 104U);
    EXPECT_EQ(std::set<std::int64_t>(proposed.begin(), proposed.end()).size(), proposed.size());
    recall += recall_of(mapped.search_among(proposed, query, 10), brute_force(rows, query, 10)) / 100;
  }
  RecordProperty("recall_at_10", std::to_string(recall));
  EXPECT_GE(recall, .9) << GetParam();
}

TEST_P(CandidatesTest, SameRowsGiveTheSameBytes) {
  const TemporaryFolder folder;
  const std::vector<float> rows = clustered_vectors(kCount, kDimension, 200, 2);
  const Factory factory = parse_factory(GetParam(), kCount, kDimension);
  write_candidates(folder / "a", factory, rows, kDimension, true);
  write_candidates(folder / "b", factory, rows, kDimension, true);
  EXPECT_TRUE(read_file(folder / "a") == read_file(folder / "b"));
}

TEST_P(CandidatesTest, ThreadsMayAskAtTheSameTime) {
  const TemporaryFolder folder;
  const std::vector<float> rows = clustered_vectors(kCount, kDimension, 200, 3);
  write_rows(folder / "rows", rows);
  const Factory factory = parse_factory(GetParam(), kCount, kDimension);
  write_candidates(folder / "candidates", factory, rows, kDimension, true);
  const Rows mapped(folder / "rows", kCount, kDimension);
  const Candidates candidates(folder / "candidates", factory, mapped);
  const std::vector<std::int64_t> alone = candidates.propose(mapped.row(11), 50);
  std::vector<int> different(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < different.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) different[t] += candidates.propose(mapped.row(11), 50) != alone;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(different, std::vector<int>(4, 0));
}

INSTANTIATE_TEST_SUITE_P(Factories, CandidatesTest,
                         testing::Values("IVF64,Flat", "IVF64,SQ8", "IVF64,PQ8", "HNSW32", "HNSW32,SQ8"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), ',', '_');
                           return name;
                         });

TEST(Candidates, AGraphDoesNotRepeatTheRows) {
  const TemporaryFolder folder;
  const std::vector<float> rows = clustered_vectors(2'000, 256, 20, 1);
  write_candidates(folder / "graph", parse_factory("HNSW8", 2'000, 256), rows, 256, true);
  EXPECT_LT(fs::file_size(folder / "graph"), rows.size() * sizeof(float) / 4);
}

TEST(Candidates, AFileOfOtherRowsIsRefused) {
  const TemporaryFolder folder;
  const std::vector<float> rows = clustered_vectors(500, 16, 20, 1);
  const Factory factory = parse_factory("HNSW8", 500, 16), lists = parse_factory("IVF2,Flat", 500, 16);
  write_candidates(folder / "graph", factory, rows, 16, true);
  write_rows(folder / "fewer", std::span(rows).first(400 * 16));
  write_rows(folder / "rows", rows);
  const Rows fewer(folder / "fewer", 400, 16), all(folder / "rows", 500, 16), wider(folder / "rows", 250, 32);
  expect_error([&] { Candidates(folder / "graph", factory, fewer); }, 4, {"graph", "does not belong"});
  expect_error([&] { Candidates(folder / "graph", factory, wider); }, 4, {"graph", "does not belong"});
  expect_error([&] { Candidates(folder / "graph", lists, all); }, 4, {"graph"});
  expect_error([&] { Candidates(folder / "none", factory, all); }, 4, {"none"});
}

TEST(Factory, IsTakenApart) {
  const Factory flat = parse_factory("Flat", 1, 8), lists = parse_factory("IVF100,PQ4", 100'000, 8),
                graph = parse_factory("HNSW16,SQ8", 1, 8);
  EXPECT_EQ(flat.kind, Factory::Kind::flat);
  EXPECT_EQ(lists.kind, Factory::Kind::ivf);
  EXPECT_EQ(lists.code, Factory::Code::pq);
  EXPECT_EQ(lists.lists, 100);
  EXPECT_EQ(lists.parts, 4);
  EXPECT_EQ(graph.kind, Factory::Kind::hnsw);
  EXPECT_EQ(graph.code, Factory::Code::sq8);
  EXPECT_EQ(graph.neighbours, 16);
}

TEST(Factory, OthersAreRefusedByName) {
  for (const char* text : {"flat",
                           "Flat,",
                           "IVF",
                           "IVF64",
                           "IVF0,Flat",
                           "IVF-4,Flat",
                           "IVF64,Flat,SQ8",
                           "IVF64,SQ4",
                           "IVF64,PQ",
                           "IVF64,PQ4x4fs",
                           "IVF064,Flat",
                           "IVF64, Flat",
                           "IDMap,Flat",
                           "HNSW",
                           "HNSW32,Flat",
                           "HNSW32,PQ8",
                           "HNSW32,",
                           "HNSW99999999999999999999",
                           "OPQ16,IVF64,PQ16",
                           "PQ16",
                           "SQ8",
                           " "}) {
    expect_error([&] { parse_factory(text, 100'000, 64); }, 2,
                 {std::string("'") + text + "'", "IVFn,PQm", "HNSWm,SQ8", "Flat"});
  }
  expect_error([] { parse_factory("HNSW1", 1'000, 64); }, 2, {"HNSW1", "2 to 256"});
  expect_error([] { parse_factory("IVF64,PQ24", 100'000, 64); }, 2, {"PQ24", "does not divide the 64"});
  expect_error([] { parse_factory("IVF64,PQ128", 100'000, 64); }, 2, {"PQ128", "does not divide"});
}

TEST(Factory, TooFewRowsSayWhatFits) {
  expect_error([] { parse_factory("IVF64,Flat", 2'495, 8); }, 2, {"39 rows", "64", "2,495", "n up to 63"});
  expect_error([] { parse_factory("IVF1,Flat", 38, 8); }, 2, {"take Flat"});
  expect_error([] { parse_factory("IVF8,PQ4", 5'000, 8); }, 2, {"256 centroids", "SQ8 instead of PQ"});
  EXPECT_EQ(parse_factory("IVF64,Flat", 2'496, 8).lists, 64);
}

TEST(Factory, SizeDecides) {
  EXPECT_EQ(factory_for(1), "Flat");
  EXPECT_EQ(factory_for(199'999), "Flat");
  EXPECT_EQ(factory_for(200'000), "HNSW32");
  EXPECT_EQ(factory_for(2'000'000), "IVF4096,SQ8");
  for (const std::int64_t count : {1, 1'000, 200'000, 2'000'000, 50'000'000}) {
    EXPECT_NO_THROW(parse_factory(factory_for(count), count, 64)) << count;
  }
}

}  // namespace
}  // namespace duet
