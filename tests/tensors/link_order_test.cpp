// The BLAS that the linker finds first is the one that all of LibTorch uses. It must be LibTorch's own, or
// numbers and speed depend on what else is installed.
#include <ATen/ATen.h>
#include <dlfcn.h>
#include <faiss/IndexFlat.h>
#include <gtest/gtest.h>

#include <opencv2/core/utility.hpp>
#include <string>
#include <vector>

extern "C" void sgemm_(const char*, const char*, const int*, const int*, const int*, const float*, const float*,
                       const int*, const float*, const int*, const float*, float*, const int*);

namespace {

std::string library_of(const void* address) {
  Dl_info info{};
  return dladdr(address, &info) != 0 && info.dli_fname ? info.dli_fname : "";
}

TEST(LinkOrder, SgemmComesFromLibTorch) {
  EXPECT_NE(library_of(reinterpret_cast<const void*>(&sgemm_)).find("libtorch_cpu"), std::string::npos);
  EXPECT_NE(library_of(dlsym(RTLD_DEFAULT, "sgemm_")).find("libtorch_cpu"), std::string::npos);
}

// FAISS and OpenCV are really in this process, and Debian's BLAS comes too late when something loads it
// afterwards.
TEST(LinkOrder, TheOthersAreHereToo) {
  EXPECT_FALSE(cv::getVersionString().empty());
  faiss::IndexFlatIP index(2);
  const std::vector<float> rows{1, 0, 0, 1};
  index.add(2, rows.data());
  constexpr int kMany = 100;  // with fewer than 20 queries FAISS does without BLAS
  std::vector<float> queries(2 * kMany, 2), scores(kMany);
  std::vector<faiss::Index::idx_t> found(kMany);
  index.search(kMany, queries.data(), 1, scores.data(), found.data());
  EXPECT_EQ(scores, std::vector<float>(kMany, 2));
  if (dlopen("libblas.so.3", RTLD_NOW | RTLD_GLOBAL)) {
    EXPECT_NE(library_of(dlsym(RTLD_DEFAULT, "sgemm_")).find("libtorch_cpu"), std::string::npos);
  }
  EXPECT_TRUE(at::ones({2, 3}).mm(at::ones({3, 2})).equal(at::full({2, 2}, 3.f)));
}

}  // namespace
