#include "core/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/format.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

TensorView view_of(std::string dtype, std::vector<std::int64_t> shape, std::string_view bytes) {
  return {.dtype = std::move(dtype),
          .shape = std::move(shape),
          .bytes = std::as_bytes(std::span<const char>(bytes.data(), bytes.size()))};
}

std::string file_of(std::string_view header, std::string_view data) {
  const std::uint64_t length = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file.append(header).append(data);
}

// The complaint about such a file; empty when it is read.
std::string complaint(std::string_view content) {
  const TemporaryFolder folder;
  write_file(folder / "x.safetensors", content);
  const Failure failure = failure_of([&] { SafetensorsFile file(folder / "x.safetensors"); });
  EXPECT_TRUE(failure.exit == Exit::ok || failure.exit == Exit::artifact);
  return failure.text;
}

constexpr std::string_view kGood = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

TEST(Safetensors, WritesAndReadsBack) {
  const TemporaryFolder folder;
  const std::vector<float> numbers{1, -2, 3.5f};
  const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), 12);
  write_safetensors(folder / "x",
                    {{"small", view_of("U8", {3}, "abc")},
                     {"b.c", view_of("F32", {1, 3}, bytes)},
                     {"nothing", view_of("I64", {0, 5}, "")},
                     {"scalar", view_of("F16", {}, "ab")}},
                    {{"who", "tést \"x\"\n"}});
  const SafetensorsFile file(folder / "x");
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.metadata().at("who"), "tést \"x\"\n");
  EXPECT_EQ(file.at("b.c").shape, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(file.at("b.c").floats()[2], 3.5f);
  EXPECT_EQ(file.at("scalar").count(), 1);
  EXPECT_EQ(file.at("nothing").count(), 0);
  EXPECT_EQ(std::memcmp(file.at("small").bytes.data(), "abc", 3), 0);
  EXPECT_TRUE(file.has("small"));
  EXPECT_FALSE(file.has("large"));
}

TEST(Safetensors, AnEmptyFileHasNoTensors) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x", {});
  EXPECT_TRUE(SafetensorsFile(folder / "x").tensors().empty());
}

TEST(Safetensors, BytesDoNotDependOnTheOrderGiven) {
  const TemporaryFolder folder;
  const NamedTensor a{"a", view_of("U8", {1}, "x")}, b{"b", view_of("F64", {1}, "12345678")};
  write_safetensors(folder / "1", {a, b});
  write_safetensors(folder / "2", {b, a});
  EXPECT_EQ(read_file(folder / "1"), read_file(folder / "2"));
}

TEST(Safetensors, EveryTensorIsAlignedToItsElements) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x", {{"a", view_of("U8", {3}, "abc")},
                                   {"b", view_of("F32", {1}, "1234")},
                                   {"c", view_of("BF16", {3}, "123456")},
                                   {"d", view_of("F64", {1}, "12345678")}});
  const SafetensorsFile file(folder / "x");
  for (const auto& [name, tensor] : file.tensors()) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % size_of_dtype(tensor.dtype), 0u) << name;
  }
}

// golden/base.safetensors is what Python's safetensors 0.8 wrote, see golden/make_base.py.
TEST(Safetensors, ReadsWhatPythonWrote) {
  const SafetensorsFile file(std::string(DUET_GOLDEN) + "/base.safetensors");
  EXPECT_EQ(file.metadata().at("source"), "python");
  ASSERT_EQ(file.tensors().size(), 12u);
  const auto floats = file.at("matrix").floats();
  ASSERT_EQ(file.at("matrix").shape, (std::vector<std::int64_t>{2, 3}));
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(floats[i], static_cast<float>(i) / 8);
  EXPECT_EQ(file.at("scalar").shape, std::vector<std::int64_t>{});
  EXPECT_EQ(file.at("scalar").floats()[0], 0.5f);
  EXPECT_EQ(file.at("empty").count(), 0);
  for (const char* dtype : {"F64", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}) {
    EXPECT_EQ(file.at(cat("typed.", dtype)).dtype, dtype);
    EXPECT_EQ(file.at(cat("typed.", dtype)).count(), 3);
  }
}

TEST(Safetensors, WritesTheBytesThatPythonWrites) {
  const TemporaryFolder folder;
  const fs::path golden = std::string(DUET_GOLDEN) + "/base.safetensors";
  const SafetensorsFile file(golden);
  std::vector<NamedTensor> tensors;
  for (const auto& [name, tensor] : file.tensors()) tensors.push_back({name, tensor});
  write_safetensors(folder / "x", tensors, file.metadata());
  EXPECT_EQ(read_file(folder / "x"), read_file(golden));
}

TEST(Safetensors, RefusesBrokenLengths) {
  EXPECT_EQ(complaint(file_of(kGood, "12345678")), "");
  EXPECT_NE(complaint("").find("0 bytes, fewer than 8"), std::string::npos);
  EXPECT_NE(complaint("1234567").find("fewer than 8"), std::string::npos);
  EXPECT_NE(complaint(std::string(8, '\xff')).find("more than 100 MB"), std::string::npos);
  EXPECT_NE(complaint(std::string("\x10\0\0\0\0\0\0\0{}", 10)).find("is cut at 2"), std::string::npos);
  EXPECT_NE(complaint(file_of(kGood, "1234567")).find("lies at 0 to 8 of 7"), std::string::npos);
  EXPECT_NE(complaint(file_of(kGood, "123456789")).find("1 bytes follow the last tensor"), std::string::npos);
  EXPECT_NE(complaint(file_of("{}", "1")).find("1 bytes follow"), std::string::npos);
  EXPECT_EQ(complaint(file_of("{}      ", "")), "");
}

TEST(Safetensors, RefusesAbuse) {
  const auto entry = [](std::string_view dtype, std::string_view shape, std::string_view offsets) {
    return cat(R"({"a":{"dtype":")", dtype, R"(","shape":)", shape, R"(,"data_offsets":)", offsets, "}}");
  };
  const std::string data(64, 'x');
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "does not start with '{'"},
      {"   ", "does not start with '{'"},
      {" {}", "does not start with '{'"},
      {"[]", "does not start with '{'"},
      {"{}\n", "does not end with '}'"},
      {std::string("{}\0", 3), "does not end with '}'"},
      {"{", "does not end with '}'"},
      {"{}}", "is no JSON"},
      {R"({"a":1})", "has other keys"},
      {R"({"a":{}})", "has other keys"},
      {R"({"a":{"dtype":"F32","shape":[2]}})", "has other keys"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}})", "has other keys"},
      {R"({"a":{"dtype":"F32","dtype":"U8","shape":[2],"data_offsets":[0,8]}})", "has 'dtype' twice"},
      {R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[64],"data_offsets":[0,64]}})",
       "has 'a' twice"},
      {R"({"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[64],"data_offsets":[0,64]}})",
       "has 'a' twice"},
      {"{\"\xff\":{\"dtype\":\"U8\",\"shape\":[64],\"data_offsets\":[0,64]}}", "is no JSON"},
      {entry("F31", "[16]", "[0,64]"), "unknown dtype 'F31'"},
      {entry("f32", "[16]", "[0,64]"), "unknown dtype 'f32'"},
      {entry("F32", "[15]", "[0,64]"), "64 bytes where its shape needs 60"},
      {entry("F32", "[16]", "[0,60]"), "60 bytes where its shape needs 64"},
      {entry("F32", "[-16]", "[0,64]"), "a shape that is no list of sizes"},
      {entry("F32", "[16.0]", "[0,64]"), "a shape that is no list of sizes"},
      {entry("F32", "16", "[0,64]"), "a shape that is no list of sizes"},
      {entry("F32", "[[16]]", "[0,64]"), "nested too deep"},
      {entry("F32", "{\"a\":1}", "[0,64]"), "nested too deep"},
      {entry("F32", "[16]", "[-64,0]"), "no two positions"},
      {entry("F32", "[16]", "[0]"), "no two positions"},
      {entry("F32", "[16]", "[0,64,128]"), "no two positions"},
      {entry("F32", "[16]", "[64,0]"), "lies at 64 to 0"},
      {entry("F32", "[16]", "[1,65]"), "lies at 1 to 65"},
      {entry("F32", "[16]", "[0,18446744073709551615]"), "no two positions"},
      {entry("F32", "[16]", "[0,9223372036854775807]"), "lies at 0 to"},
      {entry("F32", "[4611686018427387904,4]", "[0,64]"), "overflows"},
      {entry("U8", "[4294967296,4294967296]", "[0,0]"), "overflows"},
      {entry("U8", "[0,4294967296,4294967296]", "[0,0]"), "overflows"},
      {entry("U8", "[9223372036854775808]", "[0,64]"), "a shape that is no list of sizes"},
      {entry("U8", "[60]", "[4,64]"), "a hole before tensor 'a'"},
      {entry("U8", "[60]", "[0,60]"), "4 bytes follow"},
      {R"({"a":{"dtype":"U8","shape":[40],"data_offsets":[0,40]},"b":{"dtype":"U8","shape":[34],"data_offsets":[30,64]}})",
       "tensor 'b' overlaps another"},
      {R"({"a":{"dtype":"U8","shape":[64],"data_offsets":[0,64]},"b":{"dtype":"U8","shape":[64],"data_offsets":[0,64]}})",
       "overlaps another"},
      {R"({"__metadata__":{"a":1}})", "'a' in '__metadata__' is no string"},
      {R"({"__metadata__":"x"})", "'__metadata__' is no object"},
      {R"({"__metadata__":{"a":{"b":"c"}}})", "nested too deep"},
      {cat("{\"a\":", std::string(100'000, '['), std::string(100'000, ']'), "}"), "nested too deep"},
      {cat(std::string(50'001, '{'), "}"), "is no JSON"},
  };
  for (const auto& [header, expected] : cases) {
    const std::string text = complaint(file_of(header, data));
    EXPECT_NE(text.find("is no valid safetensors file"), std::string::npos) << header.substr(0, 200);
    EXPECT_NE(text.find(expected), std::string::npos) << header.substr(0, 200) << "\n" << text;
  }
}

// Any changed or cut byte must give an error or a file whose views still lie inside it; ASan watches the rest.
TEST(Safetensors, EveryChangedByteIsRefusedOrHarmless) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x", {{"a", view_of("U8", {3}, "abc")}, {"b", view_of("F32", {2}, "12345678")}},
                    {{"k", "v"}});
  const std::string good = read_file(folder / "x");
  int refused = 0;
  const auto try_one = [&](const std::string& content) {
    write_file(folder / "y", content);
    const Failure failure = failure_of([&] {
      const SafetensorsFile file(folder / "y");
      unsigned sum = 0;
      for (const auto& [name, tensor] : file.tensors()) {
        for (const std::byte byte : tensor.bytes) sum += static_cast<unsigned>(byte);
      }
      EXPECT_LT(sum, 256u * content.size());
    });
    EXPECT_TRUE(failure.exit == Exit::ok || failure.exit == Exit::artifact) << failure.text;
    refused += failure.exit == Exit::artifact;
  };
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int change : {0x01, 0x20, 0x80, 0xff}) {
      std::string content = good;
      content[i] = static_cast<char>(content[i] ^ change);
      try_one(content);
    }
  }
  EXPECT_GT(refused, 200);
  refused = 0;
  for (std::size_t length = 0; length < good.size(); ++length) try_one(good.substr(0, length));
  EXPECT_EQ(refused, static_cast<int>(good.size()));
}

TEST(Safetensors, NamesWhatIsMissing) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x", {{"a", view_of("U8", {1}, "x")}});
  const SafetensorsFile file(folder / "x");
  EXPECT_EQ(failure_of([&] { file.at("b"); }).text, (folder / "x").string() + ": has no tensor 'b'");
  EXPECT_EQ(failure_of([&] { file.at("a").floats(); }).exit, Exit::artifact);
  EXPECT_EQ(failure_of([&] { SafetensorsFile none(folder / "none"); }).exit, Exit::failed);
}

TEST(Safetensors, DoesNotWriteWhatItWouldNotRead) {
  const TemporaryFolder folder;
  const TensorView one = view_of("U8", {1}, "x");
  EXPECT_EQ(failure_of([&] { write_safetensors(folder / "x", {{"a", one}, {"a", one}}); }).exit, Exit::failed);
  EXPECT_EQ(failure_of([&] { write_safetensors(folder / "x", {{"__metadata__", one}}); }).exit, Exit::failed);
  EXPECT_EQ(failure_of([&] {
              write_safetensors(folder / "x", {{"a", view_of("F32", {1}, "x")}});
            }).exit,
            Exit::failed);
  EXPECT_EQ(failure_of([&] {
              write_safetensors(folder / "x", {{"a", view_of("F99", {1}, "x")}});
            }).exit,
            Exit::failed);
  EXPECT_EQ(failure_of([&] { write_safetensors("/dev/full", {{"a", one}}); }).exit, Exit::failed);
}

TEST(Safetensors, AFloatThatIsNotAlignedIsRefused) {
  const TemporaryFolder folder;
  write_file(folder / "x", file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                   R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                                   "x1234"));
  const SafetensorsFile file(folder / "x");
  const bool aligned = reinterpret_cast<std::uintptr_t>(file.at("b").bytes.data()) % 4 == 0;
  EXPECT_EQ(failure_of([&] { file.at("b").floats(); }).exit, aligned ? Exit::ok : Exit::artifact);
}

}  // namespace
}  // namespace duet
