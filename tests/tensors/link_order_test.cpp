// The BLAS that the linker finds first is the one that all of LibTorch uses. It must be LibTorch's own, or
// numbers and speed depend on what else is installed.
#include <ATen/ATen.h>
#include <dlfcn.h>
#include <faiss/IndexFlat.h>
#include <gtest/gtest.h>

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

// Without these the test would say nothing: FAISS and Debian's BLAS must really be in the process.
TEST(LinkOrder, TheOthersAreHereToo) {
  EXPECT_NE(dlopen("libblas.so.3", RTLD_LAZY | RTLD_NOLOAD), nullptr);
  faiss::IndexFlatIP index(2);
  const std::vector<float> rows{1, 0, 0, 1};
  index.add(2, rows.data());
  std::vector<float> scores(1);
  std::vector<faiss::Index::idx_t> found(1);
  const std::vector<float> query{0.f, 2.f};
  index.search(1, query.data(), 1, scores.data(), found.data());
  EXPECT_EQ(found[0], 1);
  EXPECT_EQ(scores[0], 2.f);
  EXPECT_TRUE(at::ones({2, 3}).mm(at::ones({3, 2})).equal(at::full({2, 2}, 3)));
}

}  // namespace
