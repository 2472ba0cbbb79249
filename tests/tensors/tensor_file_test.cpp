#include "tensors/tensor_file.h"

#include <gtest/gtest.h>

#include "core/files.h"
#include "core/format.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

TEST(TensorFile, EveryTypeAndShapeComesBack) {
  const TemporaryFolder folder;
  TensorMap tensors;
  for (const auto type : {torch::kFloat64, torch::kFloat32, torch::kFloat16, torch::kBFloat16, torch::kInt64,
                          torch::kInt32, torch::kInt16, torch::kInt8, torch::kUInt8, torch::kBool}) {
    tensors[std::string("t.") + torch::toString(type)] = torch::tensor({0, 1, 3, 100}).to(type).reshape({2, 2});
  }
  tensors["scalar"] = torch::tensor(0.25);
  tensors["empty"] = torch::zeros({0, 3});
  save_tensors(folder / "x", tensors, {{"note", "n"}});
  const TensorMap loaded = load_tensors(folder / "x");
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(loaded.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(loaded.at(name).equal(tensor)) << name;
  }
  EXPECT_EQ(SafetensorsFile(folder / "x").metadata().at("note"), "n");
}

TEST(TensorFile, WritesValuesNotStorage) {
  const TemporaryFolder folder;
  const torch::Tensor base = torch::arange(24).reshape({1, 2, 3, 4}).to(torch::kFloat32);
  const torch::Tensor weight = base.clone().requires_grad_();
  save_tensors(folder / "x", {{"transposed", base.transpose(1, 3)},
                              {"slice", base.select(3, 1)},
                              {"channels_last", base.contiguous(torch::MemoryFormat::ChannelsLast)},
                              {"gradient", weight}});
  const TensorMap loaded = load_tensors(folder / "x");
  EXPECT_TRUE(loaded.at("transposed").equal(base.transpose(1, 3)));
  EXPECT_TRUE(loaded.at("slice").equal(base.select(3, 1)));
  EXPECT_TRUE(loaded.at("channels_last").equal(base));
  EXPECT_FALSE(loaded.at("gradient").requires_grad());
}

TEST(TensorFile, LoadedTensorsOutliveTheFile) {
  const TemporaryFolder folder;
  save_tensors(folder / "x", {{"a", torch::ones({1000})}});
  const TensorMap loaded = load_tensors(folder / "x");
  write_file(folder / "x", "");
  EXPECT_TRUE(loaded.at("a").equal(torch::ones({1000})));
}

TEST(TensorFile, ReadsWhatPythonWrote) {
  const TensorMap loaded = load_tensors(std::string(DUET_GOLDEN) + "/base.safetensors");
  EXPECT_TRUE(loaded.at("matrix").equal(torch::arange(6).reshape({2, 3}) / 8));
  EXPECT_EQ(loaded.at("scalar").item<float>(), 0.5f);
  EXPECT_EQ(loaded.at("empty").sizes(), (std::vector<std::int64_t>{0, 4}));
  for (const char* type : {"F64", "F16", "BF16", "I64", "I32", "I16", "I8", "U8"}) {
    const torch::Tensor values = loaded.at(std::string("typed.") + type);
    EXPECT_TRUE(values.to(torch::kInt64).equal(torch::tensor({0, 1, 100}, torch::kInt64))) << type;
  }
  EXPECT_TRUE(loaded.at("typed.BOOL").equal(torch::tensor({false, true, true})));
}

TEST(TensorFile, RefusesTypesThatDuetDoesNotUse) {
  const TemporaryFolder folder;
  const std::vector<std::byte> bytes(8);
  const auto view = [&](const char* dtype) {
    return TensorView{.dtype = dtype, .shape = {1}, .bytes = {bytes.data(), size_of_dtype(dtype)}};
  };
  write_safetensors(folder / "x", {{"a", view("U64")}});
  const Failure failure = failure_of([&] { load_tensors(folder / "x"); });
  EXPECT_EQ(failure.exit, Exit::artifact);
  EXPECT_NE(failure.text.find("tensor 'a' holds U64"), std::string::npos);
  EXPECT_THROW(save_tensors(folder / "y", {{"a", torch::zeros({1}, torch::kComplexFloat)}}), c10::Error);
}

TEST(TensorFile, RefusesTruthValuesOtherThanZeroAndOne) {
  const TemporaryFolder folder;
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{1}, std::byte{2}};
  write_safetensors(folder / "x", {{"a", {.dtype = "BOOL", .shape = {3}, .bytes = bytes}}});
  EXPECT_EQ(failure_of([&] { load_tensors(folder / "x"); }).exit, Exit::artifact);
}

TEST(CopyInto, KeepsStorageStridesAndAliases) {
  torch::Tensor weight =
      torch::zeros({2, 3, 4, 4}).contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_();
  const torch::Tensor alias = weight.detach();
  const auto strides = weight.strides().vec();
  const torch::Tensor value = torch::arange(96).reshape({2, 3, 4, 4}).to(torch::kFloat64);
  copy_into({{"w", weight}}, {{"w", value}}, "the model");
  EXPECT_EQ(weight.strides().vec(), strides);
  EXPECT_TRUE(alias.equal(value.to(torch::kFloat32)));
  EXPECT_TRUE(weight.requires_grad());
  EXPECT_TRUE(weight.is_leaf());
}

TEST(CopyInto, NamesEveryKeyThatDoesNotFitAndChangesNothing) {
  const torch::Tensor a = torch::zeros({2}), b = torch::zeros({2, 3}), c = torch::zeros({1});
  const TensorMap target{{"a", a}, {"b", b}, {"c", c}};
  const TensorMap values{
      {"a", torch::ones({2})}, {"b", torch::ones({3, 2})}, {"d", torch::ones({1})}, {"e", torch::ones({1})}};
  const Failure failure = failure_of([&] { copy_into(target, values, "run/best"); });
  EXPECT_EQ(failure.exit, Exit::artifact);
  EXPECT_EQ(
      failure.text,
      "run/best: does not fit; missing: c; unexpected: d, e; of another shape: b [3, 2] instead of [2, 3]");
  EXPECT_TRUE(a.equal(torch::zeros({2})));
}

TEST(CopyInto, ALongListIsCut) {
  TensorMap target;
  for (int i = 10; i < 60; ++i) target[cat("p", i)] = torch::zeros({1});
  const std::string text = failure_of([&] { copy_into(target, {}, "x"); }).text;
  EXPECT_NE(text.find("p29 and 30 more"), std::string::npos) << text;
}

}  // namespace
}  // namespace duet
