// A folder for one test, gone afterwards, and the picture that tests look at.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "datasets/image.h"

namespace duet::testing {

// The folder's name has a space and a letter that is no ASCII, as users' folders have.
class Scratch {
 public:
  Scratch() {
    static int made = 0;
    folder_ = std::filesystem::temp_directory_path() /
              ("duet tést " + std::to_string(::getpid()) + " " + std::to_string(made++));
    std::filesystem::create_directories(folder_);
  }
  ~Scratch() { std::filesystem::remove_all(folder_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path write(const std::filesystem::path& name, std::string_view content) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

 private:
  std::filesystem::path folder_;
};

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Neither flat nor symmetric.
inline Image test_image(int width, int height, int shift = 0) {
  Image image = blank_image(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.row(y) + 3 * x;
      pixel[0] = static_cast<std::uint8_t>((x * 7 + shift) % 256);
      pixel[1] = static_cast<std::uint8_t>((y * 5 + x * y) % 256);
      pixel[2] = static_cast<std::uint8_t>((200 - x - 2 * y + 1024) % 256);
    }
  return image;
}

inline std::vector<int> pixel(const Image& image, int x, int y) {
  const std::uint8_t* p = image.row(y) + 3 * x;
  return {p[0], p[1], p[2]};
}

// The message of the duet::Error that `call` throws; its exit code is checked.
template <class Call>
std::string error_of(Call&& call, Exit exit = Exit::data) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), exit) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

}  // namespace duet::testing
